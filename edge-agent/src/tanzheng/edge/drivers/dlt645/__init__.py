"""DL/T 645-2007: codec (pure), driver (asyncio), README, sample configuration."""
