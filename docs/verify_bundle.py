"""Checks a Reelproof bundle (zip) or result folder: python verify.py [PATH]. Needs Python 3.9, nothing else.
Exits with 0 where all fits, 1 where something does not, 2 where there is nothing to check.
It cannot check signatures (manifest.sig, those in report.pdf), the custody log's MACs, which need its key,
nor what a PDF has attached, and it runs no analysis. Unsigned, whoever changed all can make all fit again."""
import datetime, hashlib, io, json, pathlib, sys, zipfile
ZEROS, NAME, SUM, SIGNATURE = "0" * 64, "manifest.json", "manifest.sha256", "manifest.sig"
CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
def sha256(data):
    return hashlib.sha256(data).hexdigest()
def decimal(text):  # whole numbers have no fraction in the canonical text that hashes are over
    return int(float(text)) if float(text).is_integer() else float(text)
def moment(text):  # UTC, with a Z that older Pythons do not read
    return datetime.datetime.fromisoformat(text[:-1])
def written_again(files, order):  # the one zip that these files make: stored, dated 1980-01-01
    with zipfile.ZipFile(made := io.BytesIO(), "w") as archive:
        for name in order:
            entry = zipfile.ZipInfo(name)
            entry.create_system, entry.external_attr = 3, 0o100644 << 16
            archive.writestr(entry, files[name])
    return made.getvalue()
def custody_problems(log):
    last, of, whole = (0, ZEROS, ZEROS), {}, log["exhibit"] is None
    all(map(moment, [log["exported"], *(entry["made"] for entry in log["entries"])]))  # fails for no date
    for number, about, entry in ((entry["number"], entry["exhibit"], entry) for entry in log["entries"]):
        body = CANONICAL.encode({key: entry[key] for key in entry if key not in ("sha256", "mac")})
        if sha256(body.encode()) != entry["sha256"] or not (whole or about == log["exhibit"]):
            yield f"custody.json: entry {number} was changed"
        next_one = (number - 1, entry["previous"]) == last[:2] if whole else number > last[0]
        if not next_one or entry["previous_of_exhibit"] != of.get(about, ZEROS):
            yield f"custody.json: entry {number} does not follow the one before it"
        last, of[about] = (number, entry["sha256"], entry["mac"]), entry["sha256"] if about else ZEROS
    if last != (log["count"], log["head"], log["head_mac"]) and (whole or last[0] >= log["count"]):
        yield "custody.json: its head is not its last entry"
def problems_of_both(manifest, said, log):  # annotations, against the log's entries on this analysis
    own = [entry for entry in log["entries"] if entry["exhibit"] == manifest["exhibit"]["sha256"]]
    about = manifest["analysis"] or (said and said["analysis"])
    entries = [entry for entry in own if not about or entry["analysis"] == about]
    known = any(entry["action"] in ("analysis queued", "analysis finished") for entry in entries)
    since = known or any(entry["action"] == "intake" for entry in own[:1])  # else from before the log
    if about and since and not known:
        yield f"custody.json: no entry says that analysis {about} was queued or finished"
    held = [e["details"].get("analysis sha256", "") for e in entries if about and "finished" in e["action"]]
    yield from (f"analysis.json: changed since {h}" for h in held[-1:] if h not in str(manifest["files"]))
    told = {e["details"]["id"]: e["details"].get("sha256") for e in entries if e["action"] == "annotation"}
    for each in said["annotations"] if said else ():
        later = moment(each["made"]) > moment(log["exported"]) - datetime.timedelta(minutes=5)
        known = told.pop(each["id"], None if later or not since else "none")
        if known not in (None, sha256(CANONICAL.encode([each]).encode())):
            yield f"annotations.json: custody.json does not hold {each['id']} as it is"
    yield from (f"annotations.json: custody.json holds {each}, which is not there" for each in told if about)
def problems(path):
    if path.is_dir():
        files = {f.relative_to(path).as_posix(): f.read_bytes() for f in path.rglob("*") if f.is_file()}
    else:
        with zipfile.ZipFile(path) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
    if NAME not in files:
        if SUM in files:
            yield f"{NAME}: missing. Without it nothing can be compared."
            return
        sys.exit(print(f"{str(path)!r}: holds no {NAME}. Nothing was checked.") or 2)
    sums = "".join(f"{sha256(files[name])}  {name}\n" for name in (NAME, SIGNATURE) if name in files)
    if files.get(SUM, sums.encode()) != sums.encode():
        yield f"{NAME}, {SIGNATURE} or {SUM}: changed or missing"
    manifest = json.loads(files[NAME])
    listed = {entry["path"]: (entry["bytes"], entry["sha256"]) for entry in manifest["files"]}
    order = [*listed, NAME, SUM, *([SIGNATURE] if manifest["signature"] else [])]
    yield from (f"{name}: missing" for name in order if name not in files)
    yield from (f"{name}: not listed" for name in files if name not in order)
    now = {name: (len(data), sha256(data)) for name, data in files.items()}
    yield from (f"{name}: changed" for name in listed if name in now and listed[name] != now[name])
    due = (manifest["exhibit"]["bytes"], manifest["exhibit"]["sha256"])
    yield from (f"{n}: not the exhibit" for n in now if n.startswith("media/exhibit.") and now[n] != due)
    if path.is_file() and set(files) == set(order) and written_again(files, order) != path.read_bytes():
        yield f"{path.name}: the zip is not as it was packed"
    wanted = ("annotations.json", "custody.json")
    said, log = (json.loads(files.get(name, "null"), parse_float=decimal) for name in wanted)
    if said and said["sha256"] != sha256(CANONICAL.encode(said["annotations"]).encode()):
        yield "annotations.json: changed"
    yield from (wrong := list(custody_problems(log)) if log else [])
    yield from problems_of_both(manifest, said, log) if log and not wrong else ()
path, found = pathlib.Path(sys.argv[1] if sys.argv[1:] else "."), []
if not any([(path / NAME).is_file(), (path / SUM).is_file(), path.is_file() and path.suffix == ".zip"]):
    sys.exit(print(f"{str(path)!r}: no bundle (zip) and no folder with {NAME}. Nothing was checked.") or 2)
try:
    found += problems(path)
except zipfile.BadZipFile:
    found.append(f"{path.name}: the rest cannot be read: the zip is damaged, or no zip. Copy it again.")
except Exception as error:
    found.append(f"{path.name}: the rest cannot be read: {error!r}")
print("\n".join(repr(line)[1:-1] for line in found) or "All files fit. Signatures were not checked.")
sys.exit(bool(found))
