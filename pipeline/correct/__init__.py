"""From raw trains to photons: recipes, their prepared constants, and the kernels that carry them out."""

from pipeline.correct.agipd import AgipdConstants, AgipdSettings, correct_train

__all__ = ["AgipdConstants", "AgipdSettings", "correct_train"]
