"""The rows of one run: printed as a table, written as JSON."""
import json
import os
import platform

MOST, LEAST = "≤", "≥"
LIMITED = 95  # percent of a core; below, something else than the server was the limit


class Table:
    """Rows in the order in which they are added. `values` gives each measured one by its name."""

    def __init__(self):
        self.rows = []

    @property
    def values(self):
        return {row["name"]: row["value"] for row in self.rows if "value" in row}

    def add(self, name, what, value, unit, most=None, least=None, beside=""):
        """One figure; `most` or `least` is the one to reach, `beside` is printed after it."""
        row = {"name": name, "what": what, "value": value, "unit": unit, "beside": beside}
        if most is not None:
            row.update(figure=most, sense=MOST, reached=value <= most)
        elif least is not None:
            row.update(figure=least, sense=LEAST, reached=value >= least)
        self.rows.append(row)

    def miss(self, name, what, why):
        """A row for what is not measured here, and why."""
        self.rows.append({"name": name, "what": what, "missing": why})

    def heading(self, what):
        self.rows.append({"what": what})

    def print(self):
        width = max((len(row["what"]) for row in self.rows), default=0)
        print(f"{'':{width}} {'measured':>18}  {'to reach':>18}  ratio")
        for row in self.rows:
            print(self._line(row, width))

    @staticmethod
    def _line(row, width):
        if "missing" in row:
            return f"{row['what']:{width}} {row['missing']:>18}"
        if "value" not in row:
            return row["what"]
        line = f"{row['what']:{width}} {spell(row['value']) + ' ' + row['unit']:>18}"
        if "figure" in row:
            wanted = f"{row['sense']} {spell(row['figure'])} {row['unit']}"
            line += f"  {wanted:>18}  {row['value'] / row['figure']:.2f}{'' if row['reached'] else '  missed'}"
        elif row["beside"]:
            line += " " * 20
        return f"{line}  {row['beside']}".rstrip()

    def write(self, path, quick, load):
        rows = []
        for row in self.rows:
            if "name" not in row:
                continue
            out = {key: value for key, value in row.items() if value != ""} | {"what": row["what"].strip()}
            if "figure" in row:
                out.update(sense="most" if row["sense"] == MOST else "least", ratio=row["value"] / row["figure"])
            rows.append(out)
        with open(path, "w", encoding="utf-8") as out:
            json.dump({"quick": quick, "machine": platform.machine(), "cores": os.cpu_count(), "load_before": load,
                       "rows": rows}, out, indent=1, ensure_ascii=False)
            out.write("\n")


def spell(value):
    if value >= 1000:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
