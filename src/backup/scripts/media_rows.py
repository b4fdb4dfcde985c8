# Behind inner.py. Counts local media that a staged database knows and of which there is no file. Arguments: the database,
# the media store.
import sqlite3


def main():
    database = sqlite3.connect(sys.argv[1], isolation_level=None)
    database.text_factory = bytes
    folder = os.fsencode(sys.argv[2]) + b"/local_content/"
    life_signs = LifeSigns("settle")
    missing = 0
    try:
        # What a preview of a link fetched is no user's.
        rows = database.execute("SELECT media_id FROM local_media_repository WHERE url_cache IS NULL")
    except sqlite3.OperationalError:
        return
    for (name,) in rows:
        if b"/" in name or b"\0" in name or not os.path.lexists(b"%s%s/%s/%s" % (folder, name[:2], name[2:4], name[4:])):
            missing += 1
        if life_signs.due():
            life_signs.tell()
    say(media_rows_without_file=missing)


main()
