"""What turns a notebook into a lab: checked exercises, sliders, quizzes, student versions.

A notebook needs one line, `from hepml_labs.teaching import lab`. A chapter registers its exercises with `Exercise`
and `Mistake`. Importing this package is light; `lab` brings matplotlib and torch with it.
"""

from hepml_labs.teaching.exercise import Exercise, Mistake

__all__ = ["Exercise", "Mistake"]
