// A page of mf_report in a browser: node page.mjs FILE.  Says what is wrong with it, a line each, and exits with 1 then.
//
// Landmarks and what they do are looked at, never pixels.  With PAGES pictures are left beside the page.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';

const file = process.argv[2];
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const faults = [];
const check = (good, fault) => good || faults.push(fault);

// What a reader of the page has, whatever their eyes: one title, headings in order, parts with names, images with words.
function landmarks() {
	const all = (selector) => [...document.querySelectorAll(selector)];
	const levels = all('h1, h2, h3').map((h) => Number(h.tagName[1]));
	return {
		title: document.title,
		scripts: all('script, iframe, object, embed, form, img, base').length,
		handlers: all('*').filter((e) => [...e.attributes].some((a) => a.name.startsWith('on'))).length,
		single: ['h1', 'main', 'header', 'footer', 'nav'].filter((tag) => all(tag).length !== 1),
		skipped: levels.filter((level, i) => i > 0 && level > levels[i - 1] + 1).length,
		unlinked: all('nav a').filter((a) => !document.querySelector(a.getAttribute('href'))).length,
		sections: all('main > section').length,
		links: all('nav a').length,
		unnamed: all('svg:not([aria-hidden])').filter((svg) => !svg.getAttribute('aria-label') || svg.getAttribute('role') !== 'img').length,
		charts: all('figure svg').length,
		empty: all('figure svg').filter((svg) => svg.checkVisibility() && svg.getBoundingClientRect().height < 20).length,
		headless: all('table').filter((t) => !t.caption?.textContent || t.querySelectorAll('thead th[scope=col]').length === 0).length,
		// text of a chart that its picture cuts off
		cut: all('svg text').filter((t) => {
			const box = t.getBoundingClientRect();
			const around = t.ownerSVGElement.getBoundingClientRect();
			return box.width > 0 && (box.left < around.left - 1 || box.right > around.right + 1 || box.top < around.top - 1 || box.bottom > around.bottom + 1);
		}).map((t) => t.textContent),
		wide: document.documentElement.scrollWidth > window.innerWidth,
		background: getComputedStyle(document.body).backgroundColor,
	};
}

function checkLandmarks(found) {
	check(found.title.endsWith('mfrec'), `the title is "${found.title}"`);
	check(found.scripts === 0 && found.handlers === 0, 'there is something that could run or be fetched');
	check(found.single.length === 0, `not one of each: ${found.single}`);
	check(found.skipped === 0, 'a level of headings is skipped');
	check(found.sections >= 5 && found.links === found.sections && found.unlinked === 0, 'links do not lead to the sections');
	check(found.charts >= 1 && found.unnamed === 0 && found.empty === 0, 'a chart is not there, or says nothing to who cannot see it');
	check(found.headless === 0, 'a table lacks its caption or the names of its columns');
	check(found.cut.length === 0, `cut off: ${found.cut.join(' | ')}`);
	check(!found.wide, 'the page is wider than the window');
}

// Everything that is folded up opens by the keyboard, and what scrolls can be reached.
async function checkKeyboard(page) {
	const folded = await page.locator('details').count();
	for (let i = 0; i < folded; i++) {
		await page.locator('summary').nth(i).focus();
		await page.keyboard.press('Enter');
	}
	check((await page.locator('details[open]').count()) === folded, 'a part does not open by the keyboard');
	await page.locator('nav a').last().focus();
	await page.keyboard.press('Enter');
	check(page.url().includes('#'), 'a link does not work by the keyboard');
}

async function checkAccess(page, scheme) {
	await page.evaluate(axe);
	const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
	for (const violation of violations)
		faults.push(`${scheme}: ${violation.id}: ${violation.help}: ${violation.nodes.slice(0, 3).map((n) => n.html.slice(0, 200)).join(' | ')}`);
}

const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] });
const backgrounds = new Set();
for (const [colorScheme, width] of [['light', 1100], ['dark', 1100], ['light', 375], ['dark', 375]]) {
	const context = await browser.newContext({ colorScheme, viewport: { width, height: 900 } });
	const page = await context.newPage();
	page.on('console', (message) => faults.push(`console: ${message.text()}`));
	page.on('pageerror', (error) => faults.push(`error: ${error}`));
	page.on('request', (request) => check(/^(file|data):/.test(request.url()), `request: ${request.url()}`));
	page.on('dialog', (dialog) => faults.push(`dialog: ${dialog.message()}`));
	await page.goto(pathToFileURL(file).href);
	if (process.env.PAGES)
		await page.screenshot({ path: `${file.replace(/\.html$/, '')}-${colorScheme}-${width}.png`, fullPage: true });
	const found = await page.evaluate(landmarks);
	checkLandmarks(found);
	backgrounds.add(found.background);
	await checkKeyboard(page);
	await checkAccess(page, `${colorScheme}, ${width}`);
	checkLandmarks(await page.evaluate(landmarks));
	await context.close();
}
check(backgrounds.size === 2, 'light and dark look the same');
await browser.close();
console.log([...new Set(faults)].join('\n'));
process.exit(faults.length === 0 ? 0 : 1);
