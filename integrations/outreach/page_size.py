"""Page size: how many records are asked for at once, halved where a page does not come and grown again."""

from __future__ import annotations

FIRST_GOOD_PAGES = 2


class PageSize:
    """The size of the next page, from 1 to `largest`.

    It doubles after two good pages; each time a size it grew to is too large again, it takes twice as many,
    so that a listing whose large pages never come is not asked for them at every turn.
    """

    def __init__(self, now: int, *, largest: int) -> None:
        self.now = now
        self._largest = largest
        self._good = 0
        self._needed = FIRST_GOOD_PAGES
        self._has_grown = False

    def halve(self) -> bool:
        """Make the next page half as large; False where it is one record already."""
        if self.now == 1:
            return False
        if self._has_grown:
            self._needed *= 2
        self.now, self._good, self._has_grown = self.now // 2, 0, False
        return True

    def grow(self) -> None:
        """Take note of a page that came; the next one may be larger."""
        self._good += 1
        if self._good >= self._needed and self.now < self._largest:
            self.now, self._good, self._has_grown = min(self.now * 2, self._largest), 0, True
