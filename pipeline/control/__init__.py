"""The control system: devices with states, properties and slots, served over HTTP."""
