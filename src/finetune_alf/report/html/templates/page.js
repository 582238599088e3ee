"use strict";
(() => {
  const root = document.documentElement;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const theme = JSON.parse(document.getElementById("theme").textContent);
  const main = document.getElementById("content");
  const charts = [];
  const NARROW = 600;
  const AXIS = 80;
  root.classList.add("js");

  /* Colours: the system's until the button is pressed. A browser may refuse to keep the choice for a file on disk. */
  const kept = (value) => {
    try {
      if (value) localStorage.setItem("theme", value);
      return localStorage.getItem("theme");
    } catch {
      return null;
    }
  };
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : dark.matches);
  const button = document.querySelector("button.theme");
  const showTheme = () => {
    button.textContent = isDark() ? "Light" : "Dark";
    button.setAttribute("aria-label", `Change to ${isDark() ? "light" : "dark"} colours`);
  };
  if (["light", "dark"].includes(kept())) root.dataset.theme = kept();
  button.hidden = false;
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    kept(root.dataset.theme);
    showTheme();
  });
  dark.addEventListener("change", showTheme);
  showTheme();

  /* Contents: a menu on a small screen. */
  const menu = document.querySelector("button.menu");
  const contents = document.getElementById("contents");
  const openMenu = (open) => {
    contents.classList.toggle("shown", open);
    menu.setAttribute("aria-expanded", String(open));
  };
  menu.hidden = false;
  menu.addEventListener("click", () => openMenu(menu.getAttribute("aria-expanded") !== "true"));
  contents.addEventListener("click", (event) => event.target.closest("a") && openMenu(false));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && contents.classList.contains("shown")) {
      openMenu(false);
      menu.focus();
    }
  });
  const links = new Map([...contents.querySelectorAll("a")].map((link) => [link.hash.slice(1), link]));
  const watch = new IntersectionObserver(
    (entries) => {
      const seen = entries.filter((entry) => entry.isIntersecting && links.has(entry.target.id));
      if (!seen.length) return;
      contents.querySelectorAll("[aria-current]").forEach((link) => link.removeAttribute("aria-current"));
      links.get(seen[0].target.id).setAttribute("aria-current", "true");
    },
    { rootMargin: "-10% 0px -70% 0px" },
  );
  main.querySelectorAll("h2[id], h3[id]").forEach((heading) => watch.observe(heading));

  /* Charts: each is drawn for the width of the page, and drawn again when it changes. The style has its colours. The first try
     leaves room for the axis; what is too wide after the last one is shrunk by the style. */
  const scaled = (spec, factor, narrow) => {
    const copy = { ...spec };
    if (typeof copy.width === "number") copy.width = Math.max(40, Math.round(copy.width * factor));
    if (narrow && copy.hconcat) {
      copy.vconcat = copy.hconcat;
      delete copy.hconcat;
    }
    if (narrow && typeof copy.columns === "number") copy.columns = 1;
    for (const part of ["hconcat", "vconcat", "concat"]) {
      if (copy[part]) copy[part] = copy[part].map((each) => scaled(each, factor, narrow));
    }
    if (copy.spec) copy.spec = scaled(copy.spec, factor, narrow);
    return copy;
  };
  const options = { actions: false, renderer: "svg", ast: true, logLevel: 1, tooltip: { theme: "custom" } };
  const draw = async (chart) => {
    const turn = ++chart.turn;
    const space = Math.floor(chart.box.clientWidth || main.clientWidth - 96);
    const config = { ...theme, aria: false };
    config.mark = { ...config.mark, aria: false };
    const narrow = space < NARROW;
    const plots = plotWidth(chart.spec, narrow);
    const wanted = Math.min(space, chart.spec.usermeta?.widest ?? space);
    let factor = plots ? Math.max(0.15, (wanted - AXIS) / plots) : 1;
    for (let attempt = 0; attempt < 4; attempt++) {
      const target = document.createElement("div");
      chart.result?.finalize();
      chart.result = null;
      chart.box.replaceChildren(target);
      const result = await vegaEmbed(target, { ...scaled(chart.spec, factor, narrow), config }, options);
      if (turn !== chart.turn) return result.finalize();
      chart.result = result;
      const whole = target.querySelector("svg").viewBox.baseVal.width;
      if (!plots || Math.abs(whole - wanted) <= 2 || (whole < wanted && attempt > 1)) break;
      const next = (wanted - (whole - plots * factor) - 1) / plots;
      if (!(next > 0.15) || Math.abs(next - factor) < 0.005) break;
      factor = next;
    }
    const svg = chart.box.querySelector("svg");
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", chart.box.dataset.label);
    svg.setAttribute("aria-describedby", `${chart.id}-words`);
    listen(chart);
    show(chart);
  };
  /* The width that grows with the factor: of one plot, or of those side by side. */
  const plotWidth = (spec, narrow) => {
    if (spec.hconcat && !narrow) return spec.hconcat.reduce((sum, each) => sum + plotWidth(each, narrow), 0);
    const many = spec.hconcat || spec.vconcat;
    if (many) return Math.max(...many.map((each) => plotWidth(each, narrow)));
    const own = spec.spec ? plotWidth(spec.spec, narrow) : typeof spec.width === "number" ? spec.width : 0;
    return own * (spec.columns && !narrow ? spec.columns : 1);
  };
  const drawAll = async () => {
    for (const chart of charts) {
      await draw(chart);
      await new Promise((resolve) => setTimeout(resolve));
    }
    root.dataset.drawn = String(charts.length);
  };

  /* A trial that is picked in one chart or in the list is picked in all charts of its study. */
  const picks = new Map();
  const names = (view) => Object.keys(view.getState({ signals: () => true, data: () => false }).signals);
  const has = (view, name) => names(view).includes(name);
  const hasData = (view, name) => name in view.getState({ signals: () => false, data: () => true }).data;
  const listen = (chart) => {
    const { view } = chart.result;
    if (!has(view, "pick")) return;
    view.addSignalListener("pick", (_, value) => {
      if (!chart.isSetting) pick(chart.study, [...(value?.trial ?? [])]);
    });
  };
  const show = async (chart) => {
    if (!chart.result || !picks.has(chart.study)) return;
    const { view } = chart.result;
    if (!has(view, "pick")) return;
    const trials = picks.get(chart.study);
    chart.isSetting = true;
    if (has(view, "pick_tuple") || hasData(view, "pick_store")) {
      view.data("pick_store", trials.map((trial) => ({ unit: "", fields: [{ type: "E", field: "trial" }], values: [trial] })));
    } else view.signal("pick", { trial: trials });
    await view.runAsync();
    chart.isSetting = false;
  };
  const pick = (study, trials) => {
    if (String(picks.get(study) ?? []) === String(trials)) return;
    picks.set(study, trials);
    study.querySelectorAll("[data-pick]").forEach((select) => (select.value = trials.length === 1 ? String(trials[0]) : ""));
    charts.filter((chart) => chart.study === study).forEach(show);
  };
  document.querySelectorAll("[data-pick]").forEach((select) => {
    select.closest(".pick").hidden = false;
    select.addEventListener("change", () =>
      pick(select.closest("[data-study]"), select.value === "" ? [] : [Number(select.value)]),
    );
  });

  /* Tables: a click on a column's head sorts by it; times such as 2 min 37 s by their seconds. */
  const number = (text) => {
    const [, hours, minutes, seconds] = text.match(/^\s*(?:(\d+) h\b ?)?(?:(\d+) min\b ?)?(?:([\d.]+) s\b)?/);
    if (hours || minutes || seconds) return 3600 * (hours ?? 0) + 60 * (minutes ?? 0) + Number(seconds ?? 0);
    const found = text.replace(/[\u2212\u2013]/g, "-").match(/^\s*[<>]?\s*([+-]?(?:\d[\d,]*)?\.?\d+(?:e[+-]?\d+)?)/i);
    return found ? Number(found[1].replaceAll(",", "")) : NaN;
  };
  const compare = (a, b) => {
    const [x, y] = [number(a), number(b)];
    if (!Number.isNaN(x) && !Number.isNaN(y) && x !== y) return x - y;
    return Number.isNaN(x) - Number.isNaN(y) || a.localeCompare(b, "en", { numeric: true });
  };
  document.querySelectorAll("table.sortable").forEach((table) => {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const control = document.createElement("button");
      control.type = "button";
      control.append(...head.childNodes);
      head.append(control);
      control.addEventListener("click", () => {
        const up = head.getAttribute("aria-sort") !== "ascending";
        heads.forEach((each) => each.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        const text = (row) => row.cells[column].textContent;
        const rows = [...table.tBodies[0].rows].sort((a, b) => compare(text(a), text(b)) * (up ? 1 : -1));
        table.tBodies[0].append(...rows);
      });
    });
  });

  /* Copy. */
  document.querySelectorAll("button.copy").forEach((control) => {
    control.hidden = false;
    control.addEventListener("click", async () => {
      const code = control.parentElement.querySelector("code");
      try {
        await navigator.clipboard.writeText(code.textContent);
        control.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(code);
        control.textContent = "Selected";
      }
      setTimeout(() => (control.textContent = "Copy"), 2000);
    });
  });

  /* On paper all is open. */
  const closed = [];
  window.addEventListener("beforeprint", () => {
    closed.push(...document.querySelectorAll("details:not([open])"));
    closed.forEach((each) => (each.open = true));
  });
  window.addEventListener("afterprint", () => closed.splice(0).forEach((each) => (each.open = false)));

  document.querySelectorAll("[data-chart]").forEach((box) => {
    const spec = JSON.parse(document.querySelector(`[data-spec="${CSS.escape(box.dataset.chart)}"]`).textContent);
    charts.push({ id: box.dataset.chart, box, spec, study: box.closest("[data-study]"), turn: 0 });
  });
  let width = main.clientWidth;
  let timer;
  window.addEventListener("resize", () => {
    if (main.clientWidth === width) return;
    width = main.clientWidth;
    clearTimeout(timer);
    timer = setTimeout(drawAll, 150);
  });
  drawAll();
})();
