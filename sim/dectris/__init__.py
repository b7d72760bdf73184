"""A DECTRIS detector control unit: SIMPLON REST interface and legacy ZeroMQ stream."""
