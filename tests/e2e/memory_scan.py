"""memory_scan.py FILE PID...: which of FILE's lines (hex) stand in the memory of which process. Prints "PID name:count" for
each hit. A line is NAME HEX. All readable memory is searched, what was freed and not yet reused as well."""
import os
import sys

CHUNK = 1 << 20
with open(sys.argv[1], encoding="ascii") as lines:
    wanted = {name: bytes.fromhex(text) for name, text in (line.split() for line in lines)}
overlap = max(map(len, wanted.values())) - 1


def ranges(pid):
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps:
        for line in maps:
            span, rights, *rest = line.split()
            if rights.startswith("r") and rest[-1] not in ("[vvar]", "[vsyscall]", "[vvar_vclock]"):
                yield tuple(int(end, 16) for end in span.split("-"))


def scan(pid):
    counts = dict.fromkeys(wanted, 0)
    total = 0
    memory = os.open(f"/proc/{pid}/mem", os.O_RDONLY)
    try:
        for start, end in ranges(pid):
            tail = b""
            for at in range(start, end, CHUNK):
                try:
                    data = os.pread(memory, min(CHUNK, end - at), at)
                except OSError:  # mapped, not backed: nothing is there
                    break
                total += len(data)
                data = tail + data
                for name, marker in wanted.items():
                    counts[name] += data.count(marker)
                tail = data[-overlap:] if overlap else b""
    finally:
        os.close(memory)
    return total, counts


for pid in sys.argv[2:]:
    total, counts = scan(int(pid))
    print(f"{pid} scanned:{total}")
    for name, count in counts.items():
        if count:
            print(f"{pid} {name}:{count}")
