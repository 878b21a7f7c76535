"""A small space with a condition."""

from spaces.dimensions import Choice
from spaces.space import Condition, Space

SPACE = Space(
    name="small",
    backbone="mobile",
    architecture={"a": Choice(values=(1, 2, 3)), "b": Choice(values=tuple(range(8)), ordered=True)},
    recipe={"o.name": Choice(values=("x", "y")), "o.rate.x": Choice(values=(1, 2, 3, 4))},
    conditions={"recipe.o.rate.x": Condition(parent="recipe.o.name", values=("x",))},
)
