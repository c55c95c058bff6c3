/**
 * Runs the conformance cases of the supported areas against dist/bin, except those in .ci/skip, and those of nsqd's messages a
 * second time with durable topics, except those in .ci/skip-synced. Prints the total of passed and failed tests, cases and
 * steps. Without the conformance suite it runs no cases.
 *
 * usage: node .ci/conformance.mjs [--only=STRING] [--tests=FILE] [--failed-steps=N]
 *   --only          runs only the cases whose id contains this string
 *   --tests         Vitest's JSON report, whose tests are included in the total
 *   --failed-steps  number of other steps that failed (default 0)
 */
import { existsSync, readFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { pathToFileURL } from "node:url"
import { parseArgs } from "node:util"

const areas = [
  "tcp-basics",
  "tcp-identify",
  "tcp-publish",
  "tcp-consume",
  "tcp-connection",
  "nsqd-persistence",
  "nsqd-flags",
  "tcp-upgrades",
  "tcp-auth",
  "http-publish",
  "http-admin",
  "stats",
  "lookupd-tcp",
  "lookupd-http",
  "util-stat",
  "util-tail",
  "util-to-file",
  "util-to-nsq",
  "util-nsq-to-http",
  "util-nsq-to-nsq",
  "lookupd-nsqd",
  "admin-api"
]
/** The areas without messages, or with messages of other daemons only. */
const withoutMessages = new Set(["nsqd-flags", "tcp-auth", "lookupd-tcp", "lookupd-http", "lookupd-nsqd", "admin-api"])
const jobs = 4
/** The least time of a case: a slow machine needs longer than the suite allows for. */
const leastCaseMillis = 120_000

const root = resolve(import.meta.dirname, "..")
const suite = resolve(root, "..", "shared", "conformance")
const bin = join(root, "dist", "bin")
const { values: options } = parseArgs({
  options: {
    "only": { type: "string", default: "" },
    "tests": { type: "string" },
    "failed-steps": { type: "string", default: "0" }
  }
})

const readSkips = (name) => {
  const lines = readFileSync(join(root, ".ci", name), "utf8").split("\n").filter((line) => /^[^#\s]/.test(line))
  return new Map(lines.map((line) => {
    const [, id, reason] = /^(.*?) # (.+)$/.exec(line) ?? []
    if (id === undefined) throw new Error(`.ci/${name}: a line has no reason: ${line}`)
    return [id, reason]
  }))
}

const load = (file) => import(pathToFileURL(join(suite, file)).href)

const runCase = async (Sandbox, testCase) => {
  const sandbox = new Sandbox(bin)
  const limit = Math.max(testCase.ms ?? 0, leastCaseMillis)
  let timer
  try {
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`timeout: the case took longer than ${limit} ms`)), limit)
    })
    await Promise.race([testCase.run(sandbox), late])
    return true
  } catch (error) {
    console.log(`not ok ${testCase.id}\n    ${String(error?.message ?? error).replaceAll("\n", "\n    ")}`)
    return false
  } finally {
    clearTimeout(timer)
    await sandbox.close().catch(() => {})
  }
}

const countTests = () => {
  if (options.tests === undefined) return { passed: 0, failed: 0 }
  const report = JSON.parse(readFileSync(options.tests, "utf8"))
  return { passed: report.numPassedTests, failed: report.numFailedTests }
}

const runCases = async (caseAreas, skips) => {
  if (!existsSync(suite)) return { passed: 0, failed: 0 }
  const { Sandbox } = await load("lib/daemon.mjs")
  const all = []
  for (const area of caseAreas) {
    const { default: cases } = await load(`cases/${area}.mjs`)
    all.push(...cases.map((testCase) => ({ ...testCase, id: `${area}/${testCase.name}` })))
  }
  const known = new Set(all.map((testCase) => testCase.id))
  const stale = [...skips.keys()].filter((id) => caseAreas.includes(id.split("/", 1)[0]) && !known.has(id))
  if (stale.length > 0) throw new Error(`skipped cases that do not exist: ${stale.join("; ")}`)
  const queue = all.filter(({ id }) => !skips.has(id) && id.includes(options.only))
  let passed = 0
  let failed = 0
  const worker = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      if (await runCase(Sandbox, next)) passed++
      else failed++
    }
  }
  await Promise.all(Array.from({ length: jobs }, worker))
  for (const [id, reason] of skips) if (known.has(id)) console.log(`skipped ${id}: ${reason}`)
  return { passed, failed }
}

const tests = countTests()
const skips = readSkips("skip")
const cases = await runCases(areas, skips)
console.log("-- with durable topics")
process.env.NSQD_DURABILITY = "synced"
const durable = await runCases(
  areas.filter((area) => !withoutMessages.has(area)),
  new Map([...skips, ...readSkips("skip-synced")])
)
const passed = tests.passed + cases.passed + durable.passed
const failed = tests.failed + cases.failed + durable.failed + Number(options["failed-steps"])
console.log(
  `${tests.passed} tests, ${cases.passed} conformance cases, and ${durable.passed} of them with durable topics passed`
)
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)
