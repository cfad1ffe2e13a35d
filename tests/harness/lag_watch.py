"""The lag of some collections of a task, looked at all the time while something else happens."""

from .background import Background
from .prometheus import scrape
from .scene import Scene
from .wait import until

PAUSE_S = 0.1


class LagWatch:
    """Used as `with LagWatch(scene, task, names) as watch:`; all lags are in seconds, by collection."""

    def __init__(self, scene: Scene, task: str, names: list[str]) -> None:
        self._scene, self._task = scene, task
        self._channels = {channel: name for name in names
                          for channel in scene.source.describe(scene.database, name).virtual_channel_names}
        self._looks = Background(self._look, PAUSE_S)
        self.largest = dict.fromkeys(names, 0.0)
        self.now = dict.fromkeys(names, 0.0)

    def __enter__(self) -> "LagWatch":
        self._looks.start()
        return self

    def __exit__(self, *_) -> None:
        self._looks.stop()
        print(f"\nlargest lag: {', '.join(f'{name} {lag:.1f} s' for name, lag in self.largest.items())}")

    def wait_low(self, limit_s: float, timeout_s: float = 30) -> None:
        """Until none is older at the standby than that."""
        self._looks.wait_steps(2)
        until("the lag to be low", lambda: max(self.now.values()) <= limit_s, timeout_s)

    def check(self, limit_s: float) -> None:
        """None was ever older at the standby than that."""
        late = {name: lag for name, lag in self.largest.items() if lag > limit_s}
        assert not late and self._looks.steps > 3, f"older at the standby than {limit_s} s: {late}"

    def _look(self) -> None:
        samples = scrape(f"{self._scene.api.url}/metrics")[1]
        lags = {s.labels["vchannel_name"]: s.value for s in samples
                if s.name == "harrier_lag_seconds" and s.labels["task_id"] == self._task}
        now = dict.fromkeys(self.now, 0.0)
        for channel, name in self._channels.items():
            assert channel in lags, f"{channel} of {name} shows no lag"
            now[name] = max(now[name], lags[channel])
        self.now = now
        self.largest = {name: max(lag, now[name]) for name, lag in self.largest.items()}
