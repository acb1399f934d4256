# A list of what is let pass, in which the comment above a line is its reason.


def read(path):
    """Yields (line, reason) of each line that is neither empty nor a comment."""
    reason, in_comment = "", False
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.startswith("#"):
                reason = (reason + " " if in_comment else "") + line[1:].strip()
                in_comment = True
                continue
            in_comment = False
            if line.strip():
                yield line.strip(), reason


def wrong(path, line):
    return ValueError(f"{path}: {line}")
