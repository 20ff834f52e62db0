"""How records are shown: a list by key, one record, and a file of all; what changes some is beside this.

Flask-Admin routes and registers the views and knows their columns. Its own pages are not used: they count every row,
page by number, bring scripts and styles of their own, and change what is stored past the use cases.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from flask import Response, abort, request, stream_with_context, url_for
from flask.typing import ResponseReturnValue
from flask_admin import BaseView, expose
from flask_admin.form import BaseForm
from flask_admin.model import BaseModelView

from closingbell.jobs.context import current_context
from closingbell.queries.csv_text import csv_lines
from closingbell.queries.records import Kind, Record, find_record, key_of, list_records, stream_records
from closingbell.web.guard import Right, right_of_user
from closingbell.web.looks import day, moment, number

PER_PAGE = 100
# The address of one record, within its kind's.
ONE_RECORD = "/<int(max=9223372036854775807):record_id>"
# Lines are put together before they are sent: one at a time costs more than reading it.
_LINES_AT_ONCE = 500


class _Guarded(BaseView):
    """A view that is the administrators' alone; the guard before every request says so too."""

    def is_accessible(self) -> bool:
        """Whether the person who asks may be here."""
        return right_of_user() >= Right.ADMINISTRATOR

    def _run_view(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        # Flask-Admin's own calls a view once more when it raised TypeError: what a use case did would be done twice.
        return fn(self, *args, **kwargs)


class Home(_Guarded):
    """The kinds of records."""

    def __init__(self) -> None:
        super().__init__(name="Records", endpoint="records", url="/records")

    @expose("/")
    def index(self) -> ResponseReturnValue:
        """Every kind of record, with what it is and where it is changed."""
        views = [view for view in self.admin._views if isinstance(view, RecordView)]
        return str(self.render("records/index.html", views=views))


class RecordView(_Guarded, BaseModelView):
    """Records of one kind, to be looked at; there is no address by which one is changed.

    ``listed`` are the columns of the list, the first of which leads to the record; ``looked_for`` are the filters with
    their labels; ``about`` says what these records are, ``single`` what one is called.
    """

    kind: Kind
    title: str
    single: str
    about: str
    listed: tuple[str, ...]
    looked_for: tuple[tuple[str, str], ...] = ()
    # The word by which addresses name these records; the title's, unless told.
    place = ""
    # How a record is made; None where that is not for people.
    making: Any = None
    can_create = can_edit = can_delete = False
    can_view_details = can_export = True

    # Flask-Admin's addresses that are not used are not there.
    create_view = edit_view = delete_view = action_view = ajax_lookup = ajax_update = None

    def __init__(self) -> None:
        place = self.place or self.title.lower()
        super().__init__(self.kind.shape, name=self.title, endpoint=f"records_{place}", url=f"/records/{place}")

    # --- What Flask-Admin asks.

    def scaffold_list_columns(self) -> list[str]:
        """The columns of the list."""
        return list(self.listed)

    def scaffold_sortable_columns(self) -> dict[str, str]:
        """None: records are listed by their key, which is the only order that stays quick."""
        return {}

    def scaffold_form(self) -> type[BaseForm]:
        """None: forms are made by those views that change records."""
        return BaseForm  # type: ignore[no-any-return]

    def init_search(self) -> bool:
        """Records are looked for by the filters."""
        return False

    def get_pk_value(self, model: Record) -> int:
        """The number of a record."""
        return int(model.id)

    def get_one(self, id: Any) -> Record | None:
        """The record of that number."""
        return find_record(current_context().database, self.kind, int(id))

    def _prettify_name(self, name: str) -> str:
        said = LABELS.get(name, name.replace("_", " "))
        return said[:1].upper() + said[1:]

    # --- Pages.

    @expose("/")
    def index_view(self) -> ResponseReturnValue:
        """Records by their key, some at a time."""
        wanted, after = self._wanted(), request.args.get("after", "").replace("\0", "")[:254]
        found = list_records(current_context().database, self.kind, wanted, after=after, limit=PER_PAGE + 1)
        following = key_of(self.kind, found[PER_PAGE - 1]) if len(found) > PER_PAGE else None
        return str(
            self.render(
                "records/list.html",
                view=self,
                found=found[:PER_PAGE],
                wanted=wanted,
                after=after,
                following=following,
                numeric=self.kind.numeric,
                shown=shown,
            )
        )

    @expose(ONE_RECORD)
    def details_view(self, record_id: int) -> ResponseReturnValue:
        """Everything of one record."""
        one = self.get_one(record_id) or abort(404)
        return str(self.render("records/record.html", view=self, one=one, shown=shown))

    @expose("/export/<any(csv):form>")
    def export(self, form: str) -> ResponseReturnValue:
        """Every record that the filters leave, as a file that is sent while it is read."""
        records = stream_records(current_context().database, self.kind, self._wanted())
        names = self.kind.columns
        lines = csv_lines(names, ([getattr(one, name) for name in names] for one in records))
        file = f"{self.url.rpartition('/')[2]}.{form}"
        headers = {"Content-Disposition": f"attachment; filename={file}", "Cache-Control": "no-store"}
        return Response(stream_with_context(_in_lots(lines)), mimetype="text/csv", headers=headers)

    def address(self, **more: Any) -> str:
        """The address of the list, with its filters and nothing else that was in the one that was asked for."""
        return url_for(".index_view", **self._given(), **more)

    def export_address(self) -> str:
        """The address of the file, with the same filters."""
        return url_for(".export", form="csv", **self._given())

    def changes_of(self, one: Record) -> list[Any]:
        """The ways to change this record; there are none of one that can only be looked at."""
        return []

    def label(self, name: str) -> str:
        """What a column is called."""
        return self._prettify_name(name)

    def _wanted(self) -> dict[str, str]:
        return {name: request.args.get(name, "").replace("\0", "").strip()[:254] for name, _ in self.looked_for}

    def _given(self) -> dict[str, Any]:
        return {name: text for name, text in self._wanted().items() if text}


LABELS = {
    "id": "number",
    "mic": "exchange",
    "exchange_name": "exchange's name",
    "is_active": "may sign in",
    "is_administrator": "administrator",
    "is_viewer": "viewer",
    "has_password": "has a password",
    "has_second_factor": "has a second factor",
    "is_reinvesting": "reinvests",
    "takes_scrip": "takes shares for cash",
    "drip_decimals": "decimals of reinvested shares",
    "dividend_preference": "dividends",
    "fraction_policy": "fractions",
    "residence": "country of residence",
    "country": "country of tax",
    "opened_date": "opened",
    "job_log_id": "run",
    "order_id": "order",
    "payment_id": "payment",
    "corporate_action_id": "corporate action",
    "stocks_processed": "processed",
    "stocks_failed": "failed",
    "expected_count": "expected",
    "covered_count": "covered",
    "request_count": "requests",
    "address": "from where",
    "at": "when",
    "source": "from",
}


def shown(value: Any) -> Any:
    """A value as a page shows it."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        return number(value)
    if isinstance(value, datetime):
        return moment(value)
    return day(value) if isinstance(value, date) else value


def _in_lots(lines: Any) -> Any:
    lot: list[str] = []
    for line in lines:
        lot.append(line)
        if len(lot) == _LINES_AT_ONCE:
            yield "".join(lot)
            lot.clear()
    yield "".join(lot)
