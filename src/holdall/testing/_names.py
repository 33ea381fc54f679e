"""Names that some storage cannot keep, or changes."""

#: Names that break naive stores: a file and a folder with the same name, names that a file system folds,
#: hides, truncates or interprets, and text that is not valid Unicode.
HOSTILE_NAMES: tuple[str, ...] = (
    *("", " ", ".", "..", "...", "/", "//", "../../outside", "/absolute"),
    *("a", "a/b", "a/b/c", "a.json", "a.json/b", "a.pkl", "a.pkl/b", "x", "x/", "/x", "x//y"),
    *("A", "A/b", "STRASSE", "stra\u00dfe", "\u0130", "i\u0307"),
    *("\u00e9", "e\u0301", "\u212b", "\u00c5", "<\u0338", "\u226e"),  # equal after normalization
    *("x" * 300, "x" * 299 + "y", "\u00e9" * 200, "deep/" * 60 + "end"),
    *("con", "CON", "con.txt", "nul", "aux/b", "com1", "com\u00b9"),
    *("nul\x00byte", "line\nfeed", "tab\t", "\x7f", "\u2028"),
    *("\ud800", "\udcff", "\U0001f600", "\u202eright to left"),
    *("%", "%2F", "%2f", "a%2Fb", "%25", "100%"),
    *(
        "-rf",
        "--",
        "~",
        "~root",
        "$HOME",
        "`id`",
        "*",
        "?",
        "a*b",
        "[a]",
        "{a}",
        "a:b",
        "c:\\d",
        "a\\b",
        '"',
        "'",
    ),
    *(".hidden", ".git/config", ".holdall", ".holdall/store.json", ".tmp", "a~", "#a#", "a.tmp", "a.lock"),
    *("trailing.", "trailing ", " leading", "dot./dot.", "1", "True", "None", "!", "!1", "('x',)"),
)
