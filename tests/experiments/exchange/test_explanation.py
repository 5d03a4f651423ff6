from engine.plan.explain import explain
from experiments.exchange.catalogue import read_catalogue
from experiments.exchange.explanation import explanation_text
from experiments.exchange.plan_writer import worded_tables
from tests.plans import example_plan


def test_an_explanation_says_why_with_figures_lines_and_forecast():
    catalogue = read_catalogue()
    tables = worded_tables(example_plan(), catalogue)
    text = explanation_text(explain(tables, "0001", "DC"), catalogue)
    row = tables["targets"].query("item_id == '0001' and location_id == 'DC'").iloc[0]
    assert text.startswith("0001 at DC\n")
    for said in (
        row["reason"],
        "Safety stock",
        "Orders\n",
        "Transfers out\n",
        "Expected later\n",
        "Forecast from 2025-10-27",
        "What the forecast is made of\n",
        "+35% Double 11; -8% price above its mean:",
    ):
        assert said in text
