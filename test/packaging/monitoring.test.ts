/** The dashboard of Grafana and the alert rules of Prometheus. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { Yaml } from "effect/encoding"
import { execFile, execFileSync, spawn } from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { promisify } from "node:util"
import { ChannelName } from "../../src/protocol/client/Names.ts"
import { connect, consumeUntil, topic } from "../integration/client.ts"
import * as Daemon from "../integration/daemon.ts"
import { fixedPort } from "../services/net/fixedPort.ts"

const run = promisify(execFile)
const monitoring = Path.resolve(import.meta.dirname, "../../packaging/monitoring")
const rulesPath = Path.join(monitoring, "alerts.yaml")

const Rules = Schema.Struct({
  groups: Schema.Array(Schema.Struct({
    name: Schema.String,
    rules: Schema.Array(Schema.Struct({
      alert: Schema.String,
      expr: Schema.String,
      labels: Schema.Struct({ severity: Schema.Literals(["critical", "warning", "info"]) }),
      annotations: Schema.Struct({ summary: Schema.String, description: Schema.String })
    }))
  }))
})

const Dashboard = Schema.Struct({
  templating: Schema.Struct({
    list: Schema.Array(Schema.Struct({ name: Schema.String, definition: Schema.optionalKey(Schema.String) }))
  }),
  panels: Schema.Array(Schema.Struct({
    id: Schema.Int,
    title: Schema.String,
    gridPos: Schema.Struct({ h: Schema.Int, w: Schema.Int, x: Schema.Int, y: Schema.Int }),
    targets: Schema.optionalKey(Schema.Array(Schema.Struct({ expr: Schema.String })))
  }))
})

const rules = Schema.decodeUnknownSync(Rules)(Yaml.parse(Fs.readFileSync(rulesPath, "utf8"))).groups
  .flatMap((group) => group.rules)
const dashboard = Schema.decodeUnknownSync(Dashboard)(
  JSON.parse(Fs.readFileSync(Path.join(monitoring, "dashboard.json"), "utf8"))
)
const queries = dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))

/** The metrics that a query names, without their suffixes for the parts of a histogram. */
const metricsOf = (query: string): ReadonlyArray<string> =>
  Array.from(query.matchAll(/\b(?:nsqd|process|nodejs)_[a-z_]+/g), ([name]) => name.replace(/_bucket$/, ""))

const isInstalled = (command: string): boolean => {
  try {
    return execFileSync("/bin/sh", ["-c", `command -v ${command}`]).length > 0
  } catch {
    return false
  }
}

const QueryResult = Schema.fromJsonString(Schema.Struct({
  data: Schema.Struct({
    result: Schema.Array(Schema.Struct({ value: Schema.Tuple([Schema.Finite, Schema.String]) }))
  })
}))

/** Requests the result of a query until it is there: Prometheus has no event for the end of a scrape. */
const resultOf = Effect.fnUntraced(function*(port: number, query: string) {
  const url = `http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(query)}`
  while (true) {
    const text = yield* Effect.promise(() =>
      fetch(url).then((response) => response.ok ? response.text() : "", () => "")
    )
    const result = text === "" ? [] : (yield* Schema.decodeEffect(QueryResult)(text)).data.result
    if (result[0] !== undefined) return result[0].value[1]
    yield* Effect.sleep("100 millis")
  }
})

describe("the dashboard and the alert rules", () => {
  it.live("a running nsqd has every metric that they name", () =>
    Effect.gen(function*() {
      const daemon = yield* Daemon.start(yield* Daemon.temporaryDirectory)
      // Latencies are measured from the first scrape on.
      yield* Daemon.http(daemon, "/metrics")
      yield* Daemon.http(daemon, `/pub?topic=${topic}`, "tea")
      const client = yield* connect(daemon)
      const sub = { _tag: "SUB", topic, channel: ChannelName.make("kitchen") } as const
      yield* consumeUntil(client, sub, 1, (text) => text === "tea")
      // The response follows the FIN of the message.
      assert.strictEqual(yield* client.ask({ _tag: "CLS" }), "CLOSE_WAIT")
      const { body } = yield* Daemon.http(daemon, "/metrics")
      const known = new Set(Array.from(body.matchAll(/^# TYPE (\w+)/gm), ([, name = ""]) => name))
      const definitions = dashboard.templating.list.flatMap(({ definition }) => definition ?? [])
      const named = [...rules.map(({ expr }) => expr), ...queries, ...definitions].flatMap(metricsOf)
      assert.isAtLeast(named.length, 40)
      assert.deepStrictEqual(Array.from(new Set(named)).filter((name) => !known.has(name)), [])
    }))

  it("alerts have different names, and panels different ids and places", () => {
    assert.strictEqual(new Set(rules.map(({ alert }) => alert)).size, rules.length)
    assert.strictEqual(new Set(dashboard.panels.map(({ id }) => id)).size, dashboard.panels.length)
    assert.strictEqual(
      new Set(dashboard.panels.map(({ gridPos: { x, y } }) => `${x} ${y}`)).size,
      dashboard.panels.length
    )
  })

  it.skipIf(!isInstalled("promtool"))(
    "promtool accepts the rules, and the queries of the dashboard as rules",
    async () => {
      await run("promtool", ["check", "rules", rulesPath])
      const groups = [{
        name: "dashboard",
        rules: queries.map((expr, i) => ({
          record: `dashboard:query${i}`,
          expr: expr.replaceAll("$__rate_interval", "5m")
        }))
      }]
      const directory = Fs.mkdtempSync("/tmp/rules-")
      const path = Path.join(directory, "dashboard.json")
      Fs.writeFileSync(path, JSON.stringify({ groups }))
      await run("promtool", ["check", "rules", "--lint=none", path])
      Fs.rmSync(directory, { recursive: true })
    }
  )

  it.live.skipIf(!isInstalled("prometheus"))(
    "Prometheus scrapes nsqd and evaluates the rules",
    () =>
      Effect.gen(function*() {
        const daemon = yield* Daemon.start(yield* Daemon.temporaryDirectory)
        yield* Daemon.http(daemon, `/pub?topic=${topic}`, "tea")
        const directory = yield* Daemon.temporaryDirectory
        const config = Path.join(directory, "prometheus.json")
        const scrape = { job_name: "nsqd", static_configs: [{ targets: [`127.0.0.1:${daemon.httpPort}`] }] }
        Fs.writeFileSync(
          config,
          JSON.stringify({
            global: { scrape_interval: "1s", evaluation_interval: "1s" },
            rule_files: [rulesPath],
            scrape_configs: [scrape]
          })
        )
        const port = yield* fixedPort
        const flags = [`--config.file=${config}`, `--storage.tsdb.path=${directory}`]
        yield* Effect.acquireRelease(
          Effect.sync(() =>
            spawn("prometheus", [...flags, `--web.listen-address=127.0.0.1:${port}`], { stdio: "ignore" })
          ),
          (process) => Effect.andThen(Effect.sync(() => void process.kill("SIGKILL")), Daemon.exitOf(process))
        )
        assert.strictEqual(yield* resultOf(port, `nsqd_topic_messages_total{topic="${topic}"}`), "1")
        // A topic without a channel: the alert waits for its hour.
        const pending = `ALERTS{alertname="NsqTopicWithoutChannel", topic="${topic}", alertstate="pending"}`
        assert.strictEqual(yield* resultOf(port, pending), "1")
      })
  )
})
