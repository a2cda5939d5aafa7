"""MQTT as a source: codecs (pure), one owner for each broker session, README, sample."""
