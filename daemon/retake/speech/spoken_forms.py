"""Word tables for reading text aloud: what abbreviations, units, symbols and names of the net are called in English."""

from __future__ import annotations

MONTHS = {
    "jan": "January", "feb": "February", "mar": "March", "apr": "April", "may": "May", "jun": "June",
    "jul": "July", "aug": "August", "sep": "September", "sept": "September", "oct": "October", "nov": "November", "dec": "December",
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
    "mon": "monday", "tue": "tuesday", "tues": "tuesday", "wed": "wednesday", "thu": "thursday", "thurs": "thursday", "fri": "friday",
    "mt": "mount", "ft": "fort", "p.s": "P.S.", "ph.d": "P.H.D.", "b.c": "B.C.", "a.d": "A.D.", "a.m": "A.M.", "p.m": "P.M.", "u.s": "U.S.",
    "u.k": "U.K.",
}  # fmt: skip
# Read so without a full stop too.
PLAIN = {
    "vs": "versus", "w/": "with", "w/o": "without", "mr": "mister", "mrs": "missus", "dr": "doctor", "'n'": "and", "aka": "also known as", "am": "am",
    "c++": "C plus plus", "c#": "C sharp", "f#": "F sharp", ".net": "dot net", "at&t": "A.T. and T", "24/7": "twenty-four seven",
    "9/11": "nine eleven",
    "www": "W.W.W", "btw": "by the way", "imo": "in my opinion", "fyi": "F.Y.I", "asap": "A.S.A.P", "wifi": "why fie", "wi-fi": "why fie",
    "jpeg": "jay peg", "jpg": "jay peg", "gif": "gif", "sql": "sequel", "saas": "sass", "kubernetes": "koo ber netties", "nginx": "engine X",
    "xiaomi": "shaomee",
}  # fmt: skip
# Only before a number: "No. 5", "p. 12", "ch. 3".
BEFORE_NUMBER = {"no": "number", "nos": "numbers", "p": "page", "ch": "chapter", "sec": "section", "art": "article", "ver": "version", "v": "version"}

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
    "m³": ("cubic meter", "cubic meters"),
}  # fmt: skip
# Units that are words or letters of their own after a space ("5 in a row", "10 m people"): only read as units when attached to the number.
ATTACHED_ONLY = frozenset({"in", "h", "s", "x", "V", "W", "g", "l", "am"})

CURRENCIES = {
    "$": ("dollar", "dollars", "cent", "cents"), "€": ("euro", "euros", "cent", "cents"), "£": ("pound", "pounds", "penny", "pence"),
    "¥": ("yen", "yen", "sen", "sen"), "₹": ("rupee", "rupees", "paisa", "paise"), "₩": ("won", "won", "jeon", "jeon"),
    "USD": ("dollar", "dollars", "cent", "cents"), "EUR": ("euro", "euros", "cent", "cents"), "GBP": ("pound", "pounds", "penny", "pence"),
    "US$": ("dollar", "dollars", "cent", "cents"),
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
FRACTIONS = {
    2: ("half", "halves"),
    3: ("third", "thirds"),
    4: ("quarter", "quarters"),
    5: ("fifth", "fifths"),
    6: ("sixth", "sixths"),
    8: ("eighth", "eighths"),
    10: ("tenth", "tenths"),
}

# Parts of addresses that are said as words; other short ones are spelt.
DOMAIN_WORDS = frozenset(
    {"com", "org", "net", "info", "dev", "app", "shop", "blog", "gov", "mil", "co", "biz", "online", "studio", "cloud", "mail", "gmail"}
)
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
