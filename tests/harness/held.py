"""Which collections a task holds, because the standby does not take them."""

from .prometheus import scrape
from .scene import Scene
from .wait import until


def held(scene: Scene, task: str) -> dict[str, str]:
    """Name -> reason, as `get` lists them."""
    return {one["name"]: one["reason"] for one in scene.api.get(task).get("held_collections", [])}


def wait_held(scene: Scene, task: str, *names: str, timeout_s: float = 40) -> None:
    """Until exactly these are held, by `get` and by the metric; the task still runs, and says what and why."""
    def shown() -> bool:
        found = held(scene, task)
        assert set(found) == set(names), f"held: {found}"
        samples = scrape(f"{scene.api.url}/metrics")[1]
        counts = [s.value for s in samples
                  if s.name == "harrier_held_collections" and s.labels["task_id"] == task]
        assert counts == [len(names)], counts
        return True

    until(f"{names} to be held", shown, timeout_s)
    seen = scene.api.get(task)
    assert seen["state"] == "Running"
    assert ("is held since" in seen.get("reason", "")) == bool(names), seen
