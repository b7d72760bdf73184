"""How task functions are called, and whether they could be: found, and with arguments that fit their parameters.

A function of the context alone finds its arguments there. One with more parameters is given the arguments by name,
or by position, and texts become what the parameters' annotations say.
"""

from __future__ import annotations

import importlib
import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypedDict

from scheduler.plan import Plan
from scheduler.task import TaskContext

Function = Callable[..., Any]


class Call(TypedDict):
    """What is to be called, as JSON."""

    call: str
    positional: list[Any]
    arguments: dict[str, Any]


def calls_of(plan: Plan) -> dict[str, Call]:
    """Everything that a plan calls, by task; checks as `check module:function`."""
    tasks = {
        task.id: Call(call=task.call, positional=list(task.positional), arguments=dict(task.arguments))
        for task in plan.tasks
    }
    checks = {f"check {check}": Call(call=check, positional=[], arguments={}) for check in plan.checks}
    return tasks | checks


def uncallable(calls: Mapping[str, Call]) -> dict[str, str]:
    """Which of them could not be called, and why, in a sentence. Imports their modules."""
    wrong = {}
    for name, call in calls.items():
        try:
            bound(resolve(call["call"]), call["call"], call["positional"], call["arguments"])
        except LookupError as error:
            wrong[name] = str(error.args[0])
    return wrong


def call_with(context: TaskContext, call: str, positional: Sequence[Any]) -> Any:
    """Call a function with a context and its arguments. Raises LookupError, and whatever it raises."""
    function = resolve(call)
    values, named = bound(function, call, positional, context.arguments)
    return function(context, *values, **named)


def resolve(call: str) -> Function:
    """The function that `module:function` names. Raises LookupError with a sentence."""
    module_name, _, name = call.partition(":")
    try:
        function = getattr(importlib.import_module(module_name), name, None)
    except ImportError as error:
        raise LookupError(f"{call}: module {module_name} cannot be imported ({error})") from error
    if not callable(function):
        raise LookupError(f"{call}: module {module_name} has no function {name}")
    found: Function = function
    return found


def bound(
    function: Function, call: str, positional: Sequence[Any], arguments: Mapping[str, Any]
) -> tuple[list[Any], dict[str, Any]]:
    """What to give the function after its context: values and named values. Raises LookupError with a sentence."""
    signature = inspect.signature(function)
    parameters = list(signature.parameters.values())
    if len(parameters) == 1 and not positional:
        return [], {}
    try:
        binding = signature.bind(None, *positional, **arguments)
    except TypeError as error:
        raise LookupError(f"{call}{_shown(signature)}: {error}") from None
    try:
        hints = typing.get_type_hints(function)
    except NameError:  # a name that is imported for type checkers only: nothing is known then
        hints = {}
    for parameter in parameters[1:]:
        if parameter.name in binding.arguments and parameter.name in hints:
            given = binding.arguments[parameter.name]
            binding.arguments[parameter.name] = _converted(call, parameter, hints[parameter.name], given)
    return list(binding.args[1:]), dict(binding.kwargs)


def _converted(call: str, parameter: inspect.Parameter, hint: Any, value: Any) -> Any:
    """The value as its annotation wants it: texts of an ini file become numbers."""
    from scheduler.converting import Unfit, converted

    if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
        hint = tuple[hint, ...]
    elif parameter.kind is inspect.Parameter.VAR_KEYWORD:
        hint = dict[str, hint]
    try:
        return converted(hint, value)
    except Unfit as error:
        raise LookupError(f"{call}: {parameter.name} cannot be {value!r}: {error}") from None


def _shown(signature: inspect.Signature) -> str:
    """The parameters as a person writes them, without the context."""
    parameters = list(signature.parameters.values())[1:]
    plain = [p.replace(annotation=inspect.Parameter.empty) for p in parameters]
    return str(signature.replace(parameters=plain, return_annotation=inspect.Signature.empty))
