"""The lag of some collections of a task, looked at all the time while something else happens."""

from .background import Background
from .prometheus import scrape
from .scene import Scene

PAUSE_S = 0.1


class LagWatch:
    """Used as `with LagWatch(scene, task, names, limit_s):`; fails at its end if one of them was ever older at the
    standby than that, or was not shown."""

    def __init__(self, scene: Scene, task: str, names: list[str], limit_s: float) -> None:
        self._scene, self._task, self._limit_s = scene, task, limit_s
        self._channels = {channel: name for name in names
                          for channel in scene.source.describe(scene.database, name).virtual_channel_names}
        self._looks = Background(self._look, PAUSE_S)
        # Seconds by collection.
        self.largest = dict.fromkeys(names, 0.0)

    def __enter__(self) -> "LagWatch":
        self._looks.start()
        return self

    def __exit__(self, kind, *_) -> None:
        self._looks.stop()
        print(f"\nlargest lag: {', '.join(f'{name} {lag:.1f} s' for name, lag in self.largest.items())}")
        if kind is None:
            late = {name: lag for name, lag in self.largest.items() if lag > self._limit_s}
            assert not late and self._looks.steps > 3, f"older at the standby than {self._limit_s} s: {late}"

    def _look(self) -> None:
        samples = scrape(f"{self._scene.api.url}/metrics")[1]
        lags = {s.labels["vchannel_name"]: s.value for s in samples
                if s.name == "harrier_lag_seconds" and s.labels["task_id"] == self._task}
        for channel, name in self._channels.items():
            assert channel in lags, f"{channel} of {name} shows no lag"
            self.largest[name] = max(self.largest[name], lags[channel])
