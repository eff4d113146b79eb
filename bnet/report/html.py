"""A report as one page of HTML that needs nothing else, and reads in mail: every style stands in its element."""

from functools import cache
from typing import TYPE_CHECKING

from bnet.codec.shown import escaped
from bnet.report.charts import svg
from bnet.report.parts import Document, shown

if TYPE_CHECKING:
    import jinja2

PAGE = """\
{% set cell = "padding:4px 10px 4px 0;border-bottom:1px solid #d8dbe0;vertical-align:top;" -%}
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ told.title }}, {{ told.period }}</title>
</head>
<body style="margin:0;background:#ffffff;color:#1d2127;font:15px/1.5 system-ui,-apple-system,'Segoe UI',sans-serif">
<div style="max-width:820px;margin:0 auto;padding:24px 20px">
<h1 style="font-size:24px;line-height:1.25;margin:0 0 4px">{{ told.title }}</h1>
<p style="margin:0 0 16px;color:#5a616b">{{ told.period }}</p>
{% for each in told.lead %}
<p style="margin:0 0 8px;font-size:17px">{{ each }}</p>
{% endfor %}
{% for section in told.sections %}
<h2 style="font-size:18px;margin:28px 0 8px">{{ section.title }}</h2>
{% for each in section.texts %}
<p style="margin:0 0 8px;color:#5a616b">{{ each }}</p>
{% endfor %}
{% if section.chart %}
<p style="margin:0 0 2px;font-size:13px;color:#5a616b">{{ section.chart.caption }}\
{% for row in section.chart.rows %} <span style="color:{{ colours[row.tone] }}" title="{{ row.name }}">&#9632;</span>\
{% endfor %}</p>
<div style="overflow-x:auto">{{ section.chart|svg }}</div>
{% endif %}
{% if section.rows %}
<div style="overflow-x:auto"><table style="border-collapse:collapse;font-size:14px">
<thead><tr>{% for each in section.columns %}\
<th scope="col" style="{{ cell }}text-align:{{ "left" if each.unit == "text" else "right" }};white-space:nowrap">\
{{ each.head }}</th>{% endfor %}</tr></thead>
<tbody>
{% for row in section.rows %}
<tr>{% for value in row %}{% set unit = section.columns[loop.index0].unit %}\
<td style="{{ cell }}text-align:{{ "left" if unit == "text" else "right" }}">{{ value|shown(unit) }}</td>\
{% endfor %}</tr>
{% endfor %}
</tbody></table></div>
{% else %}
<p style="margin:0;color:#5a616b">{{ section.nothing }}</p>
{% endif %}
{% endfor %}
<p style="margin:32px 0 0;font-size:13px;color:#5a616b">{{ told.foot }}</p>
</div>
</body>
</html>
"""


def html(told: Document) -> str:
    """Return a report as a page; everything that stands in it from outside is escaped."""
    return _template().render(told=told)


@cache
def _template() -> "jinja2.Template":
    import jinja2  # 40 ms

    from bnet.report.charts import COLOURS

    def visible(value: object) -> object:
        return escaped(value) if type(value) is str else value

    env = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=visible,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    env.filters |= {"svg": svg, "shown": shown}
    env.globals["colours"] = COLOURS
    return env.from_string(PAGE)
