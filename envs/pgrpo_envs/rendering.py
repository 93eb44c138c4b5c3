"""Pictures of a running world: who is shown what, and how happy each group is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Diary:
    """Counts, since the environment was made, of what each group was shown and answered.

    Parameters
    ----------
    n_groups, n_items : int
    """

    def __init__(self, n_groups: int, n_items: int) -> None:
        self.shown = np.zeros((n_groups, n_items), dtype=np.int64)
        self.reward = np.zeros(n_groups)
        self.visits = np.zeros(n_groups, dtype=np.int64)

    def write(
        self,
        user_types: NDArray[np.int64],
        actions: NDArray[np.int64],
        reward: NDArray[np.float64],
        real: NDArray[np.bool_],
    ) -> None:
        """Add one step; ``real`` leaves out the dummy rows of a reset."""
        slates = actions.reshape(actions.shape[0], -1)[real]
        types = np.repeat(user_types[real], slates.shape[1])
        np.add.at(self.shown, (types, slates.ravel() % self.shown.shape[1]), 1)
        np.add.at(self.reward, user_types[real], reward[real])
        np.add.at(self.visits, user_types[real], 1)

    @property
    def mean_reward(self) -> NDArray[np.float64]:
        """Mean reward a visit of every group, 0 before its first visit."""
        return self.reward / np.maximum(self.visits, 1)


def write_text(title: str, diary: Diary, n_best: int = 3) -> str:
    """Return a small table: one row a group, its mean reward and what it is shown most."""
    lines = [title, "group  visits  mean reward  shown most"]
    for p, mean in enumerate(diary.mean_reward):
        total = max(int(diary.shown[p].sum()), 1)
        most = np.argsort(-diary.shown[p], kind="stable")[:n_best]
        shown = ", ".join(f"item {k} ({diary.shown[p, k] / total:.0%})" for k in most)
        lines.append(f"{p:>5}  {diary.visits[p]:>6}  {mean:>11.3f}  {shown}")
    return "\n".join(lines)


def draw_frame(title: str, diary: Diary) -> NDArray[np.uint8]:
    """Return the same as a picture: exposure of items by group, and mean rewards."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "render_mode='rgb_array' draws with Matplotlib: pip install 'pgrpo-rec[plot]'"
        ) from error

    figure = Figure(figsize=(6.4, 3.2), dpi=100, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    shown_axes, happy_axes = figure.subplots(1, 2, width_ratios=(3, 1))
    totals = np.maximum(diary.shown.sum(axis=1, keepdims=True), 1)
    shown_axes.imshow(diary.shown / totals, aspect="auto", vmin=0, cmap="viridis")
    groups = range(len(diary.visits))
    shown_axes.set(title=title, xlabel="item", ylabel="preference group", yticks=groups)
    happy_axes.barh(groups, diary.mean_reward, color="#4c78a8")
    happy_axes.set(title="mean reward", yticks=groups)
    happy_axes.invert_yaxis()
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[:, :, :3].copy()
