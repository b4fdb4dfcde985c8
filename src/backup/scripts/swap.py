# Behind moves.py. Puts live data aside and new data in its place (`verb` swap), or the other way round (swap-back), by
# renames alone. Every rename can be found done or undone already: the program may have been killed between any two.
#
#   {"verb": .., "journal": path, "folder": .., "new": .., "old": .., "renames": [{"live", "staged", "had_live"}, ..]}
#
# `new` and `old` have the live paths below them. `aside`, in the restore's folder, takes what a trial start made in places
# where nothing belongs.


class Unit:
    """One path that is renamed as a whole, and where it waits and goes."""

    def __init__(self, data, order, roots):
        self.live = checked_live(data, order["live"])
        self.staged = bool(order["staged"])
        self.had_live = bool(order["had_live"])
        self.new, self.old, self.aside = (root + self.live for root in roots)
        self.is_live, self.is_new, self.is_old = (kind(path) is not None for path in (self.live, self.new, self.old))

    def swapped(self):
        """Whether the new one has taken its place, if there is one."""
        return self.staged and not self.is_new

    def forward(self):
        """What remains to be renamed, as what goes aside and what comes; none where the journal does not fit."""
        if self.swapped():
            return ([], []) if self.is_live and self.is_old == self.had_live else None
        aside = [(self.live, self.old)] if self.is_live else []
        comes = [(self.new, self.live)] if self.staged else []
        # Where a live one was, it is in exactly one of two places; elsewhere in none.
        if self.is_live + self.is_old != self.had_live or (not self.staged and self.is_new):
            return None
        return aside, comes

    def back(self):
        gone = []
        if self.swapped():
            if self.is_live:
                gone = [(self.live, self.new)]
        elif self.is_live and (self.is_old or not self.had_live):
            # Made by a trial start: beside the other database a -wal would ruin that one.
            gone = [(self.live, self.aside)]
        comes = [(self.old, self.live)] if self.is_old else []
        if self.had_live and not self.is_old and (self.swapped() or not self.is_live):
            return None
        return gone, comes


def check_places(data, order):
    folder = checked_folder(data, order["folder"])
    new_folder, new_name = os.path.split(order["new"])
    if order["old"] != folder + "/old" or new_name not in ("new", "old") or order["new"] == order["old"]:
        give_up(USAGE, "the places of old and new data do not fit together")
    if order["journal"] != data + "/.synapse-charm/journal.json":
        give_up(USAGE, "the journal is in another place")
    checked_folder(data, new_folder)
    return order["new"], order["old"], folder + "/aside"


def rename_all(pairs):
    for source, target in pairs:
        if kind(target) is not None:
            give_up(DATA, f"{target} is in the way")
        os.rename(source, target)


def main(data, order):
    units = [Unit(data, one, check_places(data, order)) for one in order["renames"]]
    forward = {"swap": True, "swap-back": False}[order["verb"]]
    plans = [unit.forward() if forward else unit.back() for unit in units]
    for unit, plan in zip(units, plans):
        if plan is None:
            give_up(DATA, f"{unit.live} is not as the journal says; nothing was moved")
    first = [pair for gone, _ in plans for pair in gone]
    second = [pair for _, comes in plans for pair in comes]

    made = set()
    for source, target in first + second:
        make_folders(data, os.path.dirname(target), made)
    device = os.lstat(data).st_dev
    for source, target in first + second:
        for path in (source, os.path.dirname(target)):
            if os.lstat(path).st_dev != device:
                give_up(DATA, f"{path} is on another filesystem than {data}; nothing was moved")

    # On disk before the first rename: what is renamed, the folders it goes to, and the journal that says so.
    for source, _ in first + second:
        if kind(source) in (stat.S_IFREG, stat.S_IFDIR):
            sync(source)
    sync_all(made)
    sync(order["journal"])
    sync(os.path.dirname(order["journal"]))
    sync(data)

    # All of them, also where nothing remained to be renamed: whoever did it may have been killed before this.
    parents = {os.path.dirname(path) for unit in units for path in (unit.live, unit.new, unit.old, unit.aside)}
    parents = {parent for parent in parents if kind(parent) == stat.S_IFDIR}
    for pairs in (first, second):
        rename_all(pairs)
        sync_all(parents)
    say(renamed=len(first) + len(second))


run(main)
