"""Report: the results as tables for people, and as JSON."""

import datetime
import os
import platform

from vs_qemu.boots import BOOT_ROWS


def _number(value):
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


def _times(value):
    return "-" if value is None else f"{value:.2f}"


def _table(header, lines):
    widths = [max(len(line[i]) for line in [header, *lines]) for i in range(len(header))]
    rule = ["-" * width for width in widths]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |"
        for line in [header, rule, *lines]
    )


def _boot_table(results, names):
    others = [name for name in names if name != "qemu"]
    lines = []
    for row, (unit, meaning) in BOOT_ROWS.items():
        if row not in results.values:
            continue
        cells = [f"{meaning} ({unit})", *(_number(results.typical_of(row, name)) for name in names)]
        lines.append(cells + [_times(results.ratio(row, name, "qemu")) for name in others])
        if row in ("init", "busybox") and results.since_first_instruction(row, names[0]) is not None:
            since = [results.since_first_instruction(row, name) for name in names]
            cells = ["- the same, from the kernel's first instruction (s)", *map(_number, since)]
            base = results.since_first_instruction(row, "qemu")
            ratios = [s / base if base and s is not None else None for s in since]
            lines.append(cells + [_times(r) for n, r in zip(names, ratios) if n != "qemu"])
    return _table(["boot", *names, *(f"{name} / qemu" for name in others)], lines)


def _suite_table(results, names):
    others = [name for name in names if name != "qemu"]
    native = results.native
    header = ["row (ns)", "group", native, *names]
    header += [f"{name} / {native}" for name in names] + [f"{name} / qemu" for name in others]

    def ratios(of):
        return [of(name, native) for name in names] + [of(name, "qemu") for name in others]

    lines = []
    for row, group in results.groups.items():
        figures = [_number(results.typical_of(row, name)) for name in [native, *names]]
        lines.append([row, group, *figures, *map(_times, ratios(lambda a, b, r=row: results.ratio(r, a, b)))])
    blank = [""] * (1 + len(names))
    for group in dict.fromkeys(results.groups.values()):
        means = ratios(lambda a, b, g=group: results.group_mean(g, a, b))
        if any(means):
            lines.append([f"mean of {group}", group, *blank, *map(_times, means)])
    return _table(header, lines)


def host_description():
    model = "unknown CPU"
    with open("/proc/cpuinfo", encoding="latin-1") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return {
        "when": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "cpu": model,
        "cpus": os.cpu_count(),
        "kernel": platform.release(),
        "load": [round(load, 2) for load in os.getloadavg()],
    }


def text_report(results, names, host, runs, best):
    parts = [
        f"{host['when']}, {host['cpu']}, {host['cpus']} CPUs, Linux {host['kernel']}, "
        f"load before {host['load'][0]}; {'best' if best else 'median'} of {runs}"
    ]
    if any(row in results.values for row in BOOT_ROWS):
        parts.append(_boot_table(results, names))
    if results.groups:
        parts.append(_suite_table(results, names))
        if results.native == "native64":
            parts.append("native64: this host runs no 32-bit programs; a 64-bit build of the same source, with twice the registers.")
    wrong = results.wrong_checksums()
    for row, by in wrong:
        said = ", ".join(f"{name} {'/'.join(sorted(sums))}" for name, sums in by.items())
        parts.append(f"WRONG CHECKSUM: {row}: {said}")
    if results.groups and not wrong:
        parts.append("Checksums: all equal.")
    parts += [f"FAILED: {failure}" for failure in results.failures]
    marks = [f"{'pass' if fine else 'FAIL'}  {text}" for text, fine in results.verdicts()]
    return "\n\n".join(parts + ["\n".join(marks)] if marks else parts)


def json_report(results, names, host, commands):
    rows = {}
    for row, by in results.values.items():
        rows[row] = {
            "unit": results.units[row],
            "group": results.groups.get(row, "boot"),
            "values": by,
            "typical": {name: results.typical_of(row, name) for name in by},
            "vs_qemu": {name: results.ratio(row, name, "qemu") for name in by},
            "vs_native": {name: results.ratio(row, name, results.native) for name in by},
            "checksums": {name: sorted(sums) for name, sums in results.checksums.get(row, {}).items()},
        }
    groups = {
        group: {name: results.group_mean(group, name, results.native) for name in names}
        for group in dict.fromkeys(results.groups.values())
    }
    verdicts = [{"text": text, "pass": fine} for text, fine in results.verdicts()]
    return {
        "host": host,
        "commands": commands,
        "rows": rows,
        "group_means_vs_native": groups,
        "verdicts": verdicts,
        "failures": results.failures,
    }
