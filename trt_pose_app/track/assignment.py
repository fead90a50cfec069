"""Who goes with whom: the pairing of two groups with the largest sum of weights."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Pairs = tuple[NDArray[np.intp], NDArray[np.intp]]


def assign(weights: NDArray[np.floating]) -> Pairs:
    """Return rows and columns, ascending by row, of the pairing of ``weights`` (N, M) with the largest sum.

    Each row and each column is used once at most; a pair whose weight is not above 0 is left out. Exact: the Hungarian
    method in the form of shortest augmenting paths (Jonker and Volgenant 1987). In tracking nearly every row prefers a
    column of its own, which one pass over the rows settles; what is left takes plain Python and no numpy, whose calls
    cost more than the few numbers they would work on.
    """
    if weights.shape[0] > weights.shape[1]:
        columns, rows = assign(weights.T)
        order = np.argsort(rows)
        return rows[order], columns[order]
    usable = weights > 0
    rows, columns = np.flatnonzero(usable.any(axis=1)), np.flatnonzero(usable.any(axis=0))
    # A pair below 0 costs no more than none: otherwise a full pairing would sacrifice good pairs to avoid it.
    kept = np.maximum(weights[rows[:, None], columns], 0)
    if len(rows) > len(columns):
        chosen, of = _best_columns(kept.T)
    else:
        of, chosen = _best_columns(kept)
    positive = kept[of, chosen] > 0
    first, second = rows[of[positive]], columns[chosen[positive]]
    order = np.argsort(first)
    return first[order], second[order]


def _best_columns(weights: NDArray[np.floating]) -> Pairs:
    """Return every row and its column; there are at least as many columns as rows."""
    n_rows, n_columns = weights.shape
    preferred = weights.argmax(axis=1) if n_columns else np.empty(0, np.intp)
    rows = np.arange(n_rows)
    if len(set(preferred.tolist())) == n_rows:
        return rows, preferred
    cost = (-weights).tolist()
    of_row = [min(row) for row in cost]  # the duals: no reduced cost is negative, and pairs have none
    of_column = [0.0] * n_columns
    row_of, column_of = [-1] * n_columns, [-1] * n_rows
    for row, column in enumerate(preferred.tolist()):
        if row_of[column] < 0:
            row_of[column], column_of[row] = row, column
    for free in range(n_rows):
        if column_of[free] < 0:
            _augment(free, cost, of_row, of_column, row_of, column_of)
    return rows, np.array(column_of, dtype=np.intp)


def _augment(
    free: int,
    cost: list[list[float]],
    of_row: list[float],
    of_column: list[float],
    row_of: list[int],
    column_of: list[int],
) -> None:
    """Pair the row ``free`` along the shortest path to a free column, pairing others anew on the way."""
    distance = [float("inf")] * len(row_of)
    reached_from = [free] * len(row_of)
    open_columns = list(range(len(row_of)))
    done: list[int] = []
    row, travelled = free, 0.0
    while True:
        nearest, shortest = -1, float("inf")
        costs, base = cost[row], travelled - of_row[row]
        for column in open_columns:
            length = costs[column] - of_column[column] + base
            if length < distance[column]:
                distance[column], reached_from[column] = length, row
            if distance[column] < shortest:
                nearest, shortest = column, distance[column]
        travelled = shortest
        open_columns.remove(nearest)
        if row_of[nearest] < 0:
            break
        done.append(nearest)
        row = row_of[nearest]
    of_row[free] += travelled
    for column in done:
        slack = travelled - distance[column]
        of_row[row_of[column]] += slack
        of_column[column] -= slack
    column = nearest
    while True:
        row = reached_from[column]
        row_of[column], (column_of[row], column) = row, (column, column_of[row])
        if row == free:
            return
