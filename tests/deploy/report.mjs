/* report.mjs - a line for each check, and the sum at the end. */
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");

/* The packages lie in the build folder, not beside this file. */
export const need = createRequire(path.join(process.env.DEPLOY_MODULES ?? process.cwd(), "package.json"));

let passed = 0, failed = 0, skipped = 0;

/* `problems` is what a check found: none is a pass. */
export function report(name, problems) {
	if (problems.length === 0) {
		passed++;
		console.log(`  ok    ${name}`);
		return;
	}
	failed++;
	console.log(`  FAIL  ${name}`);
	for (const p of problems)
		console.log(`        ${p}`);
}

/* A fault was planted: the check must have found it, and said so in words that fit. */
export function mustFind(name, problems, words) {
	const found = problems.some((p) => words.test(p));

	report(`a planted fault is found: ${name}`, found ? [] :
		[`nothing like ${words} in: ${problems.join("; ") || "no problem at all"}`]);
}

export function skip(name, why) {
	skipped++;
	console.log(`  skip  ${name}: ${why}`);
}

export function close() {
	console.log(`${passed} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ""}`);
	process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
}
