"""The gauges and counters that existing dashboards read."""

from harness.prometheus import scrape
from harness.rows import some
from harness.schema import simple
from harness.wait import until


def samples(harrier, name):
    return [s for url in harrier.metrics_urls() for s in scrape(url)[1] if s.name == name]


def test_dashboards_find_their_metrics(scene, harrier):
    writer = scene.create(simple("measured"))
    task = scene.replicate()
    writer.insert(some(writer.schema, range(100)))
    writer.delete_keys(list(range(10)))
    scene.wait_equal()

    states = {s.labels["task_state"]: s.value for s in samples(harrier, "milvus_cdc_task_num")}
    assert states.get("Running") == 1, states
    [state] = [s.value for s in samples(harrier, "milvus_cdc_task_state") if s.labels["task_id"] == task]
    assert state == 1
    requests = samples(harrier, "milvus_cdc_request_total")
    assert any(s.labels["request_type"] == "create" and s.value >= 1 for s in requests), requests

    def rows_are_counted():
        counted = [s for s in samples(harrier, "milvus_cdc_replicate_data_cnt") if s.labels["task_id"] == task]
        assert any(s.value > 0 for s in counted), "no rows are counted"
        replicated = [s for s in samples(harrier, "milvus_cdc_replicate_tt") if s.labels["task_id"] == task]
        now_ms = scene.source.timestamp() >> 18
        assert replicated and all(0 <= now_ms - s.value < 30_000 for s in replicated), replicated
        return True

    until("the rows to be counted", rows_are_counted, 10)
    calls = {s.labels["api_type"]: s.value for s in samples(harrier, "milvus_cdc_api_execute_total")
             if s.labels["task_id"] == task}
    assert calls == {"CreateDatabase": 1, "CreateCollection": 1}, calls
    ticks = [s for s in samples(harrier, "milvus_cdc_center_tt") if s.value > 0]
    assert ticks, "no target channel shows its tick"
    scene.api.pause(task)
    [state] = [s.value for s in samples(harrier, "milvus_cdc_task_state") if s.labels["task_id"] == task]
    assert state == 2


def test_both_paths_show_metrics(harrier):
    for path in ("/metrics", "/cdc/metrics"):
        answer = harrier.api.raw(b"", method="GET", path=path)
        assert answer.status == 200 and "milvus_cdc_task_num" in answer.text, path


def test_health_and_readiness(harrier):
    for path in ("/healthz", "/readyz"):
        assert harrier.api.raw(b"", method="GET", path=path).status == 200, path
