"""Correction of a recorded run, file by file, with the recipe that runs online."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, as_completed, wait
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.correct import ModuleCorrection
from pipeline.daq.growing import RunIdentity
from pipeline.errors import OutputUnwritable, RunUnreadable, WorkersLost
from pipeline.offline.output import Sink, discard, finish, only_writer, unfinished_name
from pipeline.offline.rawrun import RawFile, raw_files
from pipeline.offline.sequence import RawSequence, raw_sequence
from pipeline.offline.shelf import Prepared, Shelved, prepared_for
from pipeline.online.corrected_file import CorrectedFile, corrected_name

Progress = Callable[[int, int], None]
"""Called with files done, and files in all."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a correction did."""

    folder: Path
    files: int
    """Corrected now."""
    skipped: int
    """Found finished from an earlier start."""
    trains: int
    failed: tuple[str, ...] = ()
    """A sentence for each file that cannot be corrected; the others were."""
    remaining: int = 0
    """Files that were not begun, because somebody asked to stop."""
    uncorrected: tuple[str, ...] = ()
    """Modules that were recorded but have no correction, e.g. AGIPD03."""


@dataclass(slots=True)
class _Course:
    """What came of the jobs so far."""

    corrected: int = 0
    trains: int = 0
    failed: list[str] = field(default_factory=list)
    unwritable: OutputUnwritable | None = None
    lost: bool = False

    @property
    def ended(self) -> bool:
        """Whether it makes no sense to begin another file."""
        return self.lost or self.unwritable is not None

    def take(self, future: Future[int]) -> None:
        """Take a job's result in."""
        try:
            self.trains += future.result()
            self.corrected += 1
        except RunUnreadable as error:
            self.failed.append(str(error))
        except OutputUnwritable as error:
            self.unwritable = self.unwritable or error
        except BrokenExecutor:
            self.lost = True
        except CancelledError:
            pass


def correct_run(
    raw: Path,
    out: Path,
    detector: str,
    corrections: Mapping[int, ModuleCorrection],
    executor: Executor,
    progress: Progress | None = None,
    stopping: Callable[[], bool] = lambda: False,
) -> Summary:
    """Correct all modules of a run that have a correction; the summary names those that have none.

    executor  threads, processes, or any other executor of `concurrent.futures`; each job is one sequence file
    stopping  asked before and after each file: files that have not begun are left for the next start

    A file gets its name when it is complete, so that a second start goes on where the first was stopped.
    A file that cannot be read is told of, and the others are corrected. Raises RunUnreadable for a folder that
    is no run, OutputUnwritable when results find no place, WorkersLost when somebody killed a worker process.
    """
    files = raw_files(raw)
    wanted = [file for file in files if file.module in corrections]
    uncorrected = {file.aggregator for file in files if file.module not in corrections}
    with only_writer(out), prepared_for(executor, out, corrections) as prepared:
        todo = [file for file in wanted if not _target(out, file).exists()]
        skipped = len(wanted) - len(todo)
        course = _Course()
        futures: list[Future[int]] = []
        try:
            for file in todo:
                if stopping():
                    break
                futures.append(executor.submit(correct_file, file, out, detector, prepared(file.module)))
        except BrokenExecutor:
            course.lost = True
        try:
            for future in as_completed(futures):
                course.take(future)
                if progress is not None and not future.cancelled():
                    progress(skipped + course.corrected + len(course.failed), len(wanted))
                if course.ended or stopping():
                    _cancel(futures)
        finally:
            _cancel(futures)  # whatever ended the loop: nothing is begun for nobody
            wait(futures)
    if course.lost:
        raise _lost(out, todo, skipped + course.corrected, len(wanted))
    if course.unwritable is not None:
        raise course.unwritable
    remaining = len(todo) - course.corrected - len(course.failed)
    failed, names = tuple(sorted(course.failed)), tuple(sorted(uncorrected))
    return Summary(out, course.corrected, skipped, course.trains, failed, remaining, names)


def _cancel(futures: list[Future[int]]) -> None:
    for future in futures:
        future.cancel()


def _lost(out: Path, todo: list[RawFile], finished: int, total: int) -> WorkersLost:
    begun = [file.path.name for file in todo if unfinished_name(_target(out, file)).exists()]
    during = f" while {', '.join(begun)} were being corrected" if begun else ""
    return WorkersLost(
        f"a worker process was killed{during} (is there too little memory?); {finished} of {total} files are "
        "finished: give the same command again, perhaps with fewer workers, and it goes on with the others"
    )


def correct_file(file: RawFile, out: Path, detector: str, prepared: Prepared) -> int:
    """Correct one sequence file; its trains. Raises RunUnreadable, OutputUnwritable."""
    target = _target(out, file)
    try:
        correction = prepared.take() if isinstance(prepared, Shelved) else prepared
        with raw_sequence(file, detector) as source:
            trains = _write(source, file, target, detector, correction)
        finish(target)
    except MemoryError as error:
        discard(target)
        raise RunUnreadable(
            file.path, "needs more memory than there is; correct fewer files at a time"
        ) from error
    except BaseException:
        discard(target)
        raise
    return trains


def _write(source: RawSequence, file: RawFile, target: Path, detector: str, made: ModuleCorrection) -> int:
    identity = RunIdentity(source.proposal, file.run, "corrected")
    trains = 0
    with Sink(target) as sink:
        writer = CorrectedFile(sink, detector, file.module, identity, file.sequence, made.image)
        try:
            for train_id, timestamp_ns, train in source.trains():
                part = None if train is None else made.correct(train)
                with sink.blaming():
                    writer.append(train_id, timestamp_ns, part)
                trains += 1
        finally:
            with sink.blaming():
                writer.close()
    return trains


def _target(out: Path, file: RawFile) -> Path:
    return out / corrected_name(file.kind, file.run, file.module, file.sequence)
