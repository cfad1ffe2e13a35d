"""Creates the task as the guide does."""

import json

from harness.cdc_api import CdcApi


def guide_body(standby_port: int, replicate_channel: str) -> dict:
    """The body that the user guide prints."""
    return {
        "request_type": "create",
        "request_data": {
            "milvus_connect_param": {
                "host": "localhost",
                "port": standby_port,
                "username": "root",
                "password": "Milvus",
                "enable_tls": False,
                "connect_timeout": 10,
            },
            "collection_infos": [{"name": "*"}],
            "rpc_channel_info": {"name": replicate_channel},
        },
    }


def create(api: CdcApi, body: dict) -> str:
    """Prints the curl command, sends exactly its body, and prints the answer; gives the task's id."""
    text = json.dumps(body, indent=2)
    url = api.url.replace("127.0.0.1", "localhost")
    print(f"\ncurl -X POST {url}/cdc \\\n-H \"Content-Type: application/json\" \\\n-d '{text}'\n", flush=True)
    answer = api.raw(text.encode())
    print(answer.text, flush=True)
    if answer.code != 200:
        raise SystemExit(f"the coordinator refused the task: {answer.message}")
    return answer.body["data"]["task_id"]
