"""From raw trains to photons: recipes, their prepared constants, and the kernels that carry them out."""

from pipeline.correct.recipe import Buffers, ModuleCorrection, Recipe
from pipeline.correct.recipes import recipe_of

__all__ = ["Buffers", "ModuleCorrection", "Recipe", "recipe_of"]
