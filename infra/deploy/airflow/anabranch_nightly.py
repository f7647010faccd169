"""Anabranch's night on Airflow 3: one task a step, for the day that a run is about.

The tasks call the command `anabranch`, which finds its servers in the environment of the worker
(ANABRANCH_KAFKA, ANABRANCH_REDIS, ANABRANCH_BUCKET, ANABRANCH_WAREHOUSE, ANABRANCH_GATES, ...).
ANABRANCH_BIN names another executable.

Every step may be repeated: what is done is skipped. The exit codes mean what they mean everywhere:

    0   done, or nothing to do
    2   the call is wrong           the task fails at once
    3   a quality gate refused      the task fails at once; `anabranch quality show DATE` says why
    4   somebody else does the work the task and what follows are skipped
    75  try again                   the task is retried, as after any other failure
"""

import os
import subprocess
from datetime import datetime, timedelta, timezone

from airflow.exceptions import AirflowException, AirflowFailException, AirflowSkipException
from airflow.sdk import DAG, get_current_context, task

WRONG, REFUSED, LOCKED = 2, 3, 4


def anabranch(step: str, date: str) -> None:
    """Runs a step for a date; its log is the task's."""
    command = [os.environ.get("ANABRANCH_BIN", "anabranch"), step, "--date", date]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        for line in process.stdout:
            print(line, end="")
        code = process.wait()
    finally:
        if process.poll() is None:  # the task is being stopped: the step ends by itself
            process.terminate()
            process.wait()
    if code in (WRONG, REFUSED):
        raise AirflowFailException(f"{step} of {date} refused: exit code {code}")
    if code == LOCKED:
        raise AirflowSkipException(f"somebody else does {step} of {date}")
    if code != 0:
        raise AirflowException(f"{step} of {date} failed: exit code {code}")


with DAG(
    dag_id="anabranch_nightly",
    description="Close the day, compute, train, measure, publish",
    schedule="10 0 * * *",  # a little after midnight UTC: events are archived with a delay
    start_date=datetime(2020, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    max_active_runs=1,
    default_args={
        "retries": 6,
        "retry_delay": timedelta(minutes=2),
        "retry_exponential_backoff": True,
        "max_retry_delay": timedelta(minutes=30),
    },
    tags=["anabranch"],
) as dag:

    @task
    def day() -> str:
        """The day that has ended, which the marks are labelled with. A run by hand may say another: {"date": "2026-01-31"}."""
        context = get_current_context()
        asked = (context["dag_run"].conf or {}).get("date")
        end = context.get("data_interval_end") or context["dag_run"].run_after
        return asked or (end - timedelta(days=1)).strftime("%Y-%m-%d")

    date = day()
    before = date
    for name in ("materialize", "train", "evaluate", "publish"):
        step = task(task_id=name)(lambda date, name=name: anabranch(name, date))(date)
        before >> step
        before = step
