// Run in the page by page_test.py: texts and bars whose contrast is too low (WCAG 2.1, 1.4.3 and 1.4.11).
(() => {
  const parse = (text) => {
    const parts = text.match(/[\d.]+/g).map(Number);
    return { rgb: parts.slice(0, 3), alpha: parts.length > 3 ? parts[3] : 1 };
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.map((v) => (v / 255 <= 0.03928 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (a, b) => {
    const [high, low] = [light(a), light(b)].sort((x, y) => y - x);
    return (high + 0.05) / (low + 0.05);
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = parse(getComputedStyle(at).backgroundColor);
      if (color.alpha === 1) return color.rgb;
    }
    return parse(getComputedStyle(document.documentElement).backgroundColor).alpha === 1
      ? parse(getComputedStyle(document.documentElement).backgroundColor).rgb
      : matchMedia("(prefers-color-scheme: dark)").matches ? [18, 18, 18] : [255, 255, 255];
  };
  const poor = [];
  let texts = 0, bars = 0;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || ["SCRIPT", "STYLE", "NOSCRIPT", "OPTION"].includes(element.tagName)) continue;
    if (element.getClientRects().length === 0) continue;
    const style = getComputedStyle(element), size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const found = ratio(parse(style.color).rgb, ground(element));
    ++texts;
    if (found < (large ? 3 : 4.5)) poor.push(`${element.tagName} "${walker.currentNode.data.trim().slice(0, 30)}" ${found.toFixed(2)}`);
  }
  for (const bar of document.querySelectorAll(".bar, .key, .parts div")) {
    if (bar.getClientRects().length === 0) continue;
    const probe = document.createElement("i");
    probe.style.color = getComputedStyle(bar).getPropertyValue("--bar");
    bar.append(probe);
    const found = ratio(parse(getComputedStyle(probe).color).rgb, ground(bar.parentElement));
    probe.remove();
    ++bars;
    if (found < 3) poor.push(`${bar.className} of ${bar.closest("tr, div")?.className} ${found.toFixed(2)}`);
  }
  return { texts, bars, poor: [...new Set(poor)] };
})();
