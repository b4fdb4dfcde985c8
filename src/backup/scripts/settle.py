# Behind moves.py. What is done with a restore's folder when nothing is swapped any more.
#
#   {"verb": "keep", "folder": .., "record": {..} [, "undone": folder]}  the job went well: record what it put aside
#   {"verb": "free", "folder": ..}    remove data that was kept
#   {"verb": "sweep", "folder": ..}   remove what a job left that did not go well; never anything that was live
import shutil

RECORD, FREED = "restored.json", "freed.json"


def remove(path):
    found = kind(path)
    if found == stat.S_IFDIR:
        shutil.rmtree(path)
    elif found is not None:
        os.unlink(path)


def write(path, value):
    part = path + ".part"
    remove(part)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        # As long as the journal that lists the same: the charm reads neither where it is longer.
        json.dump(value, file, ensure_ascii=False, separators=(",", ":"))
        file.write("\n")
        file.flush()
        os.fsync(descriptor)
    os.rename(part, path)
    sync(os.path.dirname(path))


def keep(data, order):
    folder = checked_folder(data, order["folder"])
    kept = holds_data(folder + "/old")
    if kept:
        write(f"{folder}/{RECORD}", order["record"])
        sync(data)
        remove(folder + "/new")
        remove(folder + "/aside")
    undone = order.get("undone")
    if undone is not None and not holds_data(undone + "/old"):
        sweep(data, {"folder": undone})
    if not kept:
        sweep(data, {"folder": folder})


def free(data, order):
    folder = checked_folder(data, order["folder"])
    if kind(f"{folder}/{RECORD}") is not None:
        # From here on it cannot be taken for data that an undo could make live.
        os.rename(f"{folder}/{RECORD}", f"{folder}/{FREED}")
        sync(folder)
    elif kind(f"{folder}/{FREED}") is None:
        give_up(DATA, f"{folder} has no record of what it holds; nothing was removed")
    for name in os.listdir(folder):
        if name != FREED:
            remove(os.path.join(folder, name))
    remove(folder)
    sync(data)


def sweep(data, order):
    folder = checked_folder(data, order["folder"])
    if kind(folder) is None:
        return
    if kind(f"{folder}/{FREED}") is not None:
        free(data, order)
        return
    if holds_data(folder + "/old"):
        give_up(DATA, f"{folder}/old holds data; nothing was removed")
    remove(folder)
    sync(data)


def main(data, order):
    {"keep": keep, "free": free, "sweep": sweep}[order["verb"]](data, order)


run(main)
