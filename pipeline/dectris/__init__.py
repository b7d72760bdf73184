"""Client of a DECTRIS control unit: REST commands, the legacy stream, passive and active acquisition."""
