"""What registered models of MLflow have in common, whatever their versions hold."""

from collections.abc import Callable, Iterator
from typing import Any


def create_registered_model(client: Any, name: str, description: str) -> None:
    """Create a registered model, unless it is there."""
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name, description=description)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def versions_of(client: Any, name: str) -> Iterator[Any]:
    """Yield the versions of a registered model, without their aliases; none where there is no such model."""
    yield from all_pages(lambda **page: client.search_model_versions(f"name = '{name}'", **page))


def all_pages(search: Callable[..., Any], n_per_page: int = 100) -> Iterator[Any]:
    """Yield what a search of MLflow finds, page by page."""
    token = None
    while True:
        page = search(max_results=n_per_page, page_token=token)
        yield from page
        token = page.token
        if not token:
            return
