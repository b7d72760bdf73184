"""The thermometer's words with pyserial, read as its public driver does: wait, read, cut at CR, keep whole words.

python read_thermometer.py PORT SECONDS     prints JSON: values by channel
"""

import json
import sys
import time

import serial

port, seconds = sys.argv[1], float(sys.argv[2])
values = {}
with serial.Serial(port, 9600, timeout=1) as meter:
    time.sleep(seconds)
    for word in meter.read(meter.in_waiting).split(b"\r"):
        if len(word) == 15 and word[:2] == b"\x024":
            sign = -1 if word[5:6] == b"1" else 1
            value = sign * int(word[7:15]) / 10 ** int(word[6:7])
            values.setdefault(word[2:3].decode(), []).append((word[3:5].decode(), value))
json.dump(values, sys.stdout)
