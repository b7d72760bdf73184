"""pyvisa-py at a text instrument: python ask_by_visa.py RESOURCE READ_END WRITE_END COMMANDS     prints JSON.

COMMANDS is a JSON list of [command, whether it answers]; ends are written as CR, LF or CRLF. Prints the answers.
"""

import json
import sys

import pyvisa

ENDS = {"CR": "\r", "LF": "\n", "CRLF": "\r\n"}
resource, read_end, write_end, commands = sys.argv[1:]
visa = pyvisa.ResourceManager("@py")
instrument = visa.open_resource(
    resource, read_termination=ENDS[read_end], write_termination=ENDS[write_end], timeout=10_000
)
answers = []
for command, answers_it in json.loads(commands):
    if answers_it:
        answers.append(instrument.query(command))
    else:
        instrument.write(command)
instrument.close()
visa.close()
json.dump(answers, sys.stdout)
