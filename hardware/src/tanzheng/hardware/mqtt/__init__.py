"""Meters that publish over MQTT: payloads of usual senders (pure), a Sparkplug node, a program."""
