"""Word tables for reading text aloud: what abbreviations, units, symbols and names of the net are called in English."""

from __future__ import annotations

MONTHS = {
    "jan": "January", "feb": "February", "mar": "March", "apr": "April", "may": "May", "jun": "June",
    "jul": "July", "aug": "August", "sep": "September", "sept": "September", "oct": "October", "nov": "November", "dec": "December",
}  # fmt: skip
WEEKDAYS = {
    "mon": "Monday", "tue": "Tuesday", "tues": "Tuesday", "wed": "Wednesday", "thu": "Thursday", "thur": "Thursday", "thurs": "Thursday",
    "fri": "Friday", "sat": "Saturday", "sun": "Sunday",
}  # fmt: skip
MONTH_NAMES = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December")

# Always read so, written with its full stop (lower case, without it, here).
ABBREVIATIONS = {
    "mr": "mister", "mrs": "missus", "ms": "miz", "prof": "professor", "gen": "general", "gov": "governor", "sen": "senator", "rep": "representative",
    "capt": "captain", "lt": "lieutenant", "col": "colonel", "sgt": "sergeant", "cmdr": "commander", "rev": "reverend", "hon": "honorable",
    "jr": "junior", "sr": "senior", "ave": "avenue", "blvd": "boulevard", "rd": "road", "hwy": "highway", "apt": "apartment", "bldg": "building",
    "ltd": "limited", "inc": "incorporated", "corp": "corporation", "bros": "brothers", "dept": "department", "univ": "university",
    "govt": "government",
    "approx": "approximately", "est": "established", "vs": "versus", "vol": "volume", "fig": "figure", "figs": "figures", "pp": "pages",
    "e.g": "for example", "i.e": "that is", "etc": "etc", "cf": "compare", "et al": "and others", "viz": "namely", "ca": "about", "al": "al",
    "mt": "mount", "ft": "fort", "p.s": "P.S.", "ph.d": "P.H.D.", "b.c": "B.C.", "a.d": "A.D.", "a.m": "A.M.", "p.m": "P.M.", "u.s": "U.S.",
    "u.k": "U.K.", "a.k.a": "also known as",
}  # fmt: skip
# Read so without a full stop too.
PLAIN = {
    "vs": "versus", "w/": "with", "w/o": "without", "mr": "mister", "mrs": "missus", "dr": "doctor", "'n'": "and", "aka": "also known as", "am": "am",
    "c++": "C plus plus", "c#": "C sharp", "f#": "F sharp", ".net": "dot net", "at&t": "A.T. and T", "24/7": "twenty-four seven",
    "9/11": "nine eleven", "c/o": "care of",
    "www": "W.W.W", "btw": "by the way", "imo": "in my opinion", "fyi": "F.Y.I", "asap": "A.S.A.P", "wifi": "why fie", "wi-fi": "why fie",
    "jpeg": "jay peg", "jpg": "jay peg", "gif": "gif", "sql": "sequel", "saas": "sass", "kubernetes": "koo ber netties", "nginx": "engine X",
    "xiaomi": "shaomee",
}  # fmt: skip
# Only before a number: "No. 5", "p. 12", "ch. 3".
BEFORE_NUMBER = {
    "no": "number", "nos": "numbers", "p": "page", "ch": "chapter", "sec": "section", "art": "article", "ver": "version", "v": "version",
    "max": "maximum", "min": "minimum",
}  # fmt: skip

UNITS = {
    "km": ("kilometer", "kilometers"), "m": ("meter", "meters"), "cm": ("centimeter", "centimeters"), "mm": ("millimeter", "millimeters"),
    "µm": ("micrometer", "micrometers"), "nm": ("nanometer", "nanometers"), "in": ("inch", "inches"), "ft": ("foot", "feet"), "yd": ("yard", "yards"),
    "mi": ("mile", "miles"), "kg": ("kilogram", "kilograms"), "g": ("gram", "grams"), "mg": ("milligram", "milligrams"), "lb": ("pound", "pounds"),
    "lbs": ("pound", "pounds"), "oz": ("ounce", "ounces"), "l": ("liter", "liters"), "ml": ("milliliter", "milliliters"),
    "kph": ("kilometer per hour", "kilometers per hour"),
    "mph": ("mile per hour", "miles per hour"), "km/h": ("kilometer per hour", "kilometers per hour"),
    "m/s": ("meter per second", "meters per second"),
    "Hz": ("hertz", "hertz"), "kHz": ("kilohertz", "kilohertz"), "MHz": ("megahertz", "megahertz"), "GHz": ("gigahertz", "gigahertz"),
    "KB": ("kilobyte", "kilobytes"), "kB": ("kilobyte", "kilobytes"), "MB": ("megabyte", "megabytes"), "GB": ("gigabyte", "gigabytes"),
    "TB": ("terabyte", "terabytes"),
    "Mbps": ("megabit per second", "megabits per second"), "Gbps": ("gigabit per second", "gigabits per second"),
    "hr": ("hour", "hours"), "hrs": ("hour", "hours"), "h": ("hour", "hours"), "min": ("minute", "minutes"), "mins": ("minute", "minutes"),
    "sec": ("second", "seconds"), "secs": ("second", "seconds"), "s": ("second", "seconds"), "ms": ("millisecond", "milliseconds"),
    "kW": ("kilowatt", "kilowatts"), "MW": ("megawatt", "megawatts"), "GW": ("gigawatt", "gigawatts"), "W": ("watt", "watts"), "V": ("volt", "volts"),
    "kWh": ("kilowatt hour", "kilowatt hours"), "mAh": ("milliamp hour", "milliamp hours"), "fps": ("frame per second", "frames per second"),
    "dB": ("decibel", "decibels"), "px": ("pixel", "pixels"), "%": ("percent", "percent"), "‰": ("per mille", "per mille"),
    "°": ("degree", "degrees"), "°C": ("degree Celsius", "degrees Celsius"), "°F": ("degree Fahrenheit", "degrees Fahrenheit"),
    "x": ("time", "times"), "×": ("time", "times"), "¢": ("cent", "cents"), "m²": ("square meter", "square meters"),
    "km²": ("square kilometer", "square kilometers"),
    "m³": ("cubic meter", "cubic meters"), "m2": ("square meter", "square meters"), "m3": ("cubic meter", "cubic meters"),
    "km2": ("square kilometer", "square kilometers"), "cm²": ("square centimeter", "square centimeters"),
    "ft²": ("square foot", "square feet"), "ft2": ("square foot", "square feet"), "cm³": ("cubic centimeter", "cubic centimeters"),
    "m/s²": ("meter per second squared", "meters per second squared"), "mL": ("milliliter", "milliliters"), "L": ("liter", "liters"),
    "psi": ("pound per square inch", "pounds per square inch"), "kB/s": ("kilobyte per second", "kilobytes per second"),
    "MB/s": ("megabyte per second", "megabytes per second"), "GB/s": ("gigabyte per second", "gigabytes per second"),
    "bit": ("bit", "bits"), "kbps": ("kilobit per second", "kilobits per second"), "THz": ("terahertz", "terahertz"),
    "rpm": ("revolution per minute", "revolutions per minute"), "PB": ("petabyte", "petabytes"), "hPa": ("hectopascal", "hectopascals"),
    "kcal": ("kilocalorie", "kilocalories"), "kJ": ("kilojoule", "kilojoules"), "kPa": ("kilopascal", "kilopascals"), "inch": ("inch", "inches"),
}  # fmt: skip
# Units that are words or letters of their own after a space ("5 in a row", "the 3 s"): only read as units when attached to the number.
ATTACHED_ONLY = frozenset({"in", "s", "x", "×"})
# What a rate is for: "10 mg/day".
PER = {
    "day": "day", "week": "week", "month": "month", "mo": "month", "year": "year", "yr": "year", "hour": "hour", "hr": "hour", "h": "hour",
    "minute": "minute", "min": "minute", "second": "second", "sec": "second", "s": "second", "person": "person", "user": "user", "night": "night",
    "seat": "seat", "item": "item", "piece": "piece", "unit": "unit", "dose": "dose",
}  # fmt: skip

CURRENCIES = {
    "$": ("dollar", "dollars", "cent", "cents"), "€": ("euro", "euros", "cent", "cents"), "£": ("pound", "pounds", "penny", "pence"),
    "¥": ("yen", "yen", "sen", "sen"), "₹": ("rupee", "rupees", "paisa", "paise"), "₩": ("won", "won", "jeon", "jeon"),
    "USD": ("dollar", "dollars", "cent", "cents"), "EUR": ("euro", "euros", "cent", "cents"), "GBP": ("pound", "pounds", "penny", "pence"),
    "US$": ("dollar", "dollars", "cent", "cents"), "JPY": ("yen", "yen", "sen", "sen"), "INR": ("rupee", "rupees", "paisa", "paise"),
    "CHF": ("franc", "francs", "centime", "centimes"), "SEK": ("krona", "kronor", "öre", "öre"), "NOK": ("krone", "kroner", "øre", "øre"),
    "DKK": ("krone", "kroner", "øre", "øre"), "CNY": ("yuan", "yuan", "fen", "fen"), "PLN": ("zloty", "zlotys", "grosz", "groszy"),
    "C$": ("Canadian dollar", "Canadian dollars", "cent", "cents"), "CA$": ("Canadian dollar", "Canadian dollars", "cent", "cents"),
    "CAD": ("Canadian dollar", "Canadian dollars", "cent", "cents"), "A$": ("Australian dollar", "Australian dollars", "cent", "cents"),
    "AU$": ("Australian dollar", "Australian dollars", "cent", "cents"), "AUD": ("Australian dollar", "Australian dollars", "cent", "cents"),
    "NZ$": ("New Zealand dollar", "New Zealand dollars", "cent", "cents"), "HK$": ("Hong Kong dollar", "Hong Kong dollars", "cent", "cents"),
}  # fmt: skip
MAGNITUDES = {"k": "thousand", "m": "million", "mn": "million", "b": "billion", "bn": "billion", "t": "trillion", "tn": "trillion"}
MAGNITUDE_WORDS = frozenset({"hundred", "thousand", "million", "billion", "trillion"})

SYMBOLS = {
    "&": "and", "@": "at", "=": "equals", "+": "plus", "×": "times", "÷": "divided by", "±": "plus or minus", "<": "less than", ">": "greater than",
    "≤": "at most", "≥": "at least", "≈": "about", "~": "about", "°": "degrees", "§": "section", "%": "percent", "#": "hash", "→": "to",
    "½": "one half",
    "¼": "one quarter", "¾": "three quarters", "²": "squared", "³": "cubed", "∞": "infinity", "π": "pi", "√": "square root of", "µ": "micro",
    "©": "copyright",
    "$": "dollars", "€": "euros", "£": "pounds", "¥": "yen",
}  # fmt: skip
# Parts below a half and a quarter are ordinals: "sixteenth". Others are read "nine over fourteen".
FRACTIONS = {2: ("half", "halves"), 4: ("quarter", "quarters")}
FRACTIONS_BY_ORDINAL = frozenset({3, 5, 6, 7, 8, 9, 10, 12, 16, 20, 32, 64, 100})
BROKEN = {"½": (1, 2), "¼": (1, 4), "¾": (3, 4), "⅓": (1, 3), "⅔": (2, 3), "⅛": (1, 8), "⅜": (3, 8), "⅝": (5, 8), "⅞": (7, 8), "⅕": (1, 5)}
# People and things that are counted though their plural has no s.
COUNTED = frozenset({"people", "men", "women", "children", "feet", "mice", "sheep", "fish", "staff"})
# Their numbers are read in pairs: "flight 1749".
NUMBERED_PLACES = frozenset(
    [
        "flight", "room", "route", "bus", "train", "tram", "line", "highway", "suite", "apartment", "channel", "gate", "seat", "unit", "building",
        "hall", "extension", "model",
    ]
)  # fmt: skip
# Ends like a plural and is none: after a year they say nothing about counting.
NO_PLURALS = frozenset("is was has does as its this his us yes thus always perhaps across plus versus towards besides less unless ours".split())  # noqa: SIM905

# Parts of addresses that are said as words; other short ones are spelt.
DOMAIN_WORDS = frozenset(
    {"com", "org", "net", "info", "dev", "app", "shop", "blog", "gov", "mil", "co", "biz", "online", "studio", "cloud", "mail", "gmail"}
)  # Names in paths that people say otherwise than they are written.
PATH_WORDS = {"usr": "user", "src": "source", "tmp": "temp", "cfg": "config", "env": "env", "readme": "read me", "img": "image", "pkg": "package"}
# Endings of file names, and what is said where it is not letter by letter ("").
EXTENSIONS = {
    "md": "", "txt": "text", "py": "", "js": "", "ts": "", "css": "", "html": "", "htm": "", "pdf": "", "png": "", "jpg": "jay peg",
    "jpeg": "jay peg", "gif": "gif", "svg": "", "json": "jason", "yaml": "yaml", "yml": "yaml", "toml": "toml", "csv": "", "tsv": "", "xml": "",
    "exe": "", "dll": "", "zip": "zip", "gz": "", "tar": "tar", "doc": "doc", "docx": "doc X", "xls": "", "xlsx": "", "ppt": "", "pptx": "",
    "mp": "", "wav": "wave", "mov": "moov", "avi": "", "mkv": "", "otio": "", "srt": "", "sh": "", "cfg": "config", "ini": "innie", "log": "log",
    "sql": "sequel", "blend": "blend", "psd": "", "rs": "", "java": "java", "cpp": "", "php": "",
}  # fmt: skip

# Numbered things: "Chapter IV" is four; regnal names: "Henry VIII" is the eighth.
NUMBERED = frozenset(
    [
        "chapter", "part", "act", "scene", "section", "volume", "book", "phase", "article", "war", "mark", "type", "level", "stage", "class",
        "grade", "bowl", "apollo", "gemini", "fantasy", "episode", "round", "rocky", "trek", "wars", "appendix", "table", "figure", "title",
        "division", "schedule", "saturn", "soyuz", "vostok", "iphone", "apple", "model", "series",
    ]
)  # fmt: skip
REGNAL = frozenset(
    [
        "pope", "king", "queen", "emperor", "tsar", "czar", "prince", "henry", "louis", "edward", "george", "william", "charles", "james",
        "richard", "elizabeth", "napoleon", "pius", "benedict", "leo", "paul", "john", "ramses", "frederick", "philip", "alexander",
        "nicholas", "peter", "catherine", "ivan", "umberto", "emmanuel", "gustav", "christian", "ferdinand", "mary", "francis", "clement",
        "gregory", "urban", "innocent", "wilhelm", "otto", "leopold", "carlos", "juan", "felipe", "harald", "olav", "margaret", "haakon",
        "sixtus", "boniface", "julius", "thomas", "robert", "david", "joseph", "franz", "maximilian",
        "darius", "xerxes", "cyrus", "ptolemy", "cleopatra", "amenhotep", "thutmose", "mehmed", "murad", "selim",
    ]
)  # fmt: skip
# Written in capitals and said as words; hibari's dictionary has NASA, NATO and such, these it does not.
SAID_AS_WORDS = {
    "JSON": "jason",
    "pH": "P.H",
    "README": "read me",
    "COVID": "covid",
    "SARS": "sars",
    "RAM": "ram",
    "SIM": "sim",
    "PIN": "pin",
    "LASER": "laser",
    "RADAR": "radar",
    "SCUBA": "scuba",
    "ZIP": "zip",
    "VAT": "V.A.T",
    "CAPTCHA": "captcha",
}
