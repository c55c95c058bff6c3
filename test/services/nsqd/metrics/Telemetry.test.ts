import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Exit, FileSystem, Layer, Queue, Schema, Scope } from "effect"
import * as Http from "node:http"
import process from "node:process"
import { LogOutput } from "../../../../src/services/logging/LogOutput.ts"
import * as NsqLogger from "../../../../src/services/logging/NsqLogger.ts"
import * as TelemetrySettings from "../../../../src/services/nsqd/metrics/TelemetrySettings.ts"
import { Nsqd } from "../../../../src/services/nsqd/Nsqd.ts"
import * as NsqdOptions from "../../../../src/services/nsqd/options/NsqdOptions.ts"
import { outcome, requestTo } from "../http/api.ts"

const Attributes = Schema.Array(
  Schema.Struct({ key: Schema.String, value: Schema.Record(Schema.String, Schema.Unknown) })
)
const Resource = Schema.Struct({ attributes: Attributes })
const Span = Schema.Struct({
  name: Schema.String,
  traceId: Schema.String,
  parentSpanId: Schema.optional(Schema.String),
  attributes: Attributes
})
const Traces = Schema.Struct({
  resourceSpans: Schema.Array(Schema.Struct({
    resource: Resource,
    scopeSpans: Schema.Array(Schema.Struct({ spans: Schema.Array(Span) }))
  }))
})
const Metrics = Schema.Struct({
  resourceMetrics: Schema.Array(Schema.Struct({
    resource: Resource,
    scopeMetrics: Schema.Array(Schema.Struct({
      metrics: Schema.Array(Schema.Struct({ name: Schema.String }))
    }))
  }))
})
const decodeTraces = Schema.decodeUnknownEffect(Schema.fromJsonString(Traces))
const decodeMetrics = Schema.decodeUnknownEffect(Schema.fromJsonString(Metrics))

interface Export {
  readonly path: string
  readonly headers: Http.IncomingHttpHeaders
  readonly body: string
}

/** A collector on a free port, with everything exported to it. */
const collector = Effect.gen(function*() {
  const exports = yield* Queue.unbounded<Export>()
  const server = Http.createServer((request, response) => {
    const chunks: Array<Buffer> = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      Queue.offerUnsafe(exports, {
        path: request.url ?? "",
        headers: request.headers,
        body: Buffer.concat(chunks).toString()
      })
      response.end("{}")
    })
  })
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
    () =>
      Effect.callback<void>((resume) => {
        server.closeAllConnections()
        server.close(() => resume(Effect.void))
      })
  )
  const address = server.address()
  const port = typeof address === "object" && address !== null ? address.port : 0
  return { url: `http://127.0.0.1:${port}`, exports }
})

type Environment = Record<string, string>

const environment = (variables: Environment) => ConfigProvider.layer(ConfigProvider.fromEnvRecord(variables))

/** Sets a variable of this process until the end of the test. */
const setVariable = (name: string, value: string) =>
  Effect.acquireRelease(
    Effect.sync(() => void (process.env[name] = value)),
    () => Effect.sync(() => delete process.env[name])
  )

/** A daemon with these options in this environment; closing its Scope stops it. */
const start = Effect.fnUntraced(
  function*(options: Partial<NsqdOptions.NsqdOptions>, variables: Environment, scope: Scope.Scope) {
    const files = yield* FileSystem.FileSystem
    const dataPath = yield* files.makeTempDirectoryScoped()
    const socket = `${dataPath}/http.sock`
    const daemon = Nsqd.layerWith({ tcpAddress: "127.0.0.1:0", httpAddress: socket, dataPath, ...options })
    const silence = NsqLogger.layer({ level: "info", prefix: "", format: "nsq" }).pipe(
      Layer.provide(Layer.succeed(LogOutput, { write: () => {} }))
    )
    yield* Layer.buildWithScope(daemon.pipe(Layer.provide([environment(variables), silence])), scope)
    return { socketPath: socket }
  }
)

const valueOf = (attributes: typeof Attributes.Type, key: string): unknown =>
  Object.values(attributes.find((attribute) => attribute.key === key)?.value ?? {})[0]

describe("OpenTelemetry", () => {
  it.live("spans of requests and operations, and metrics, go to the collector of --otlp-endpoint", () =>
    Effect.gen(function*() {
      const { exports, url } = yield* collector
      const daemon = yield* Scope.make()
      const address = yield* start(
        { otlpEndpoint: url, broadcastAddress: "b.example", nodeId: 7 },
        {
          OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
          OTEL_EXPORTER_OTLP_HEADERS: "x-tenant=acme",
          OTEL_RESOURCE_ATTRIBUTES: "deployment.environment=test"
        },
        daemon
      )
      const traceparent = `00-${"ab".repeat(16)}-${"cd".repeat(8)}-01`
      yield* requestTo(address, "POST", "/topic/create?topic=t", "", { traceparent })
      yield* requestTo(address, "GET", "/ping")
      assert.strictEqual(outcome(yield* requestTo(address, "GET", "/ready")), "200 OK")
      yield* requestTo(address, "POST", "/pub?topic=t", "x")
      yield* Scope.close(daemon, Exit.void)

      const sent = yield* Queue.clear(exports)
      assert.deepStrictEqual(new Set(sent.map(({ path }) => path)), new Set(["/v1/traces", "/v1/metrics"]))
      assert.isTrue(sent.every(({ headers }) => headers["x-tenant"] === "acme"))

      const traces = yield* Effect.forEach(
        sent.filter(({ path }) => path === "/v1/traces"),
        ({ body }) => decodeTraces(body)
      )
      const resourceSpans = traces.flatMap((trace) => trace.resourceSpans)
      const resource = resourceSpans[0]?.resource.attributes ?? []
      assert.strictEqual(valueOf(resource, "service.name"), "nsqd")
      assert.strictEqual(valueOf(resource, "service.instance.id"), "b.example/7")
      assert.strictEqual(valueOf(resource, "deployment.environment"), "test")
      const spans = resourceSpans.flatMap(({ scopeSpans }) => scopeSpans).flatMap((scope) => scope.spans)
      const named = (name: string) => spans.find((span) => span.name === name)
      const request = named("POST /topic/create")
      assert.strictEqual(request?.traceId, "ab".repeat(16))
      assert.strictEqual(request?.parentSpanId, "cd".repeat(8))
      assert.strictEqual(Number(valueOf(request?.attributes ?? [], "http.response.status_code")), 200)
      assert.strictEqual(named("Broker.openTopic")?.traceId, "ab".repeat(16))
      assert.isDefined(named("GET /ping"))
      assert.isUndefined(named("GET /ready"))
      assert.isFalse(spans.some(({ name }) => name.includes("pub")))

      const metrics = yield* Effect.forEach(
        sent.filter(({ path }) => path === "/v1/metrics"),
        ({ body }) => decodeMetrics(body)
      )
      const last = metrics.at(-1)?.resourceMetrics[0]
      const names = last?.scopeMetrics.flatMap((scope) => scope.metrics).map(({ name }) => name) ?? []
      assert.include(names, "nsqd_topic_messages_total")
      assert.include(names, "process_resident_memory_bytes")
      assert.strictEqual(valueOf(last?.resource.attributes ?? [], "service.name"), "nsqd")
    }).pipe(Effect.provide(NodeFileSystem.layer)))

  it.live("telemetry goes to the collector of the environment, under its service name, in protobuf by default", () =>
    Effect.gen(function*() {
      const { exports, url } = yield* collector
      const daemon = yield* Scope.make()
      yield* setVariable("OTEL_EXPORTER_OTLP_ENDPOINT", url)
      yield* start(
        {},
        { OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_SERVICE_NAME: "queue", OTEL_TRACES_EXPORTER: "none" },
        daemon
      )
      yield* Scope.close(daemon, Exit.void)
      const sent = yield* Queue.clear(exports)
      assert.deepStrictEqual(new Set(sent.map(({ path }) => path)), new Set(["/v1/metrics"]))
      assert.isTrue(sent.every(({ headers }) => headers["content-type"] === "application/x-protobuf"))
      assert.isTrue(sent.every(({ body }) => body.includes("queue")))
    }).pipe(Effect.provide(NodeFileSystem.layer)))

  it.live("an unreachable collector delays nothing", () =>
    Effect.gen(function*() {
      const gone = yield* Effect.scoped(collector)
      const daemon = yield* Scope.make()
      const address = yield* start({ otlpEndpoint: gone.url }, {}, daemon)
      const answer = yield* requestTo(address, "POST", "/pub?topic=t", "x")
      assert.strictEqual(answer.text, "OK")
      assert.isTrue(Exit.isSuccess(yield* Effect.exit(Scope.close(daemon, Exit.void))))
    }).pipe(Effect.provide(NodeFileSystem.layer)))
})

describe("the settings of OpenTelemetry", () => {
  const settings = (options: Partial<NsqdOptions.NsqdOptions>, variables: Environment) =>
    Effect.provide(TelemetrySettings.settings, [NsqdOptions.layer(options), environment(variables)])

  it.effect("without a collector there are no settings", () =>
    Effect.gen(function*() {
      assert.isUndefined(yield* settings({}, { OTEL_SERVICE_NAME: "queue" }))
      assert.isUndefined(yield* settings({}, { OTEL_EXPORTER_OTLP_ENDPOINT: "" }))
    }))

  it.effect("resource attributes of the environment take precedence", () =>
    Effect.gen(function*() {
      const found = yield* settings({ otlpEndpoint: "http://c:4318" }, {
        OTEL_RESOURCE_ATTRIBUTES: "service.name=queue,host.name=h"
      })
      assert.isUndefined(found?.resource.serviceName)
      assert.notProperty(found?.resource.attributes, "host.name")
      assert.property(found?.resource.attributes, "service.instance.id")
    }))

  it.effect("invalid settings are errors that name the setting", () =>
    Effect.gen(function*() {
      const refusal = (options: Partial<NsqdOptions.NsqdOptions>, variables: Environment) =>
        Effect.map(Effect.flip(settings(options, variables)), ({ message }) => message)
      assert.strictEqual(
        yield* refusal({ otlpEndpoint: "collector:4318" }, {}),
        "--otlp-endpoint must be an http or https URL, not \"collector:4318\""
      )
      assert.strictEqual(
        yield* refusal({}, { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "ftp://c" }),
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT must be an http or https URL, not \"ftp://c\""
      )
      assert.strictEqual(
        yield* refusal({ otlpEndpoint: "http://c" }, { OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" }),
        "OTEL_EXPORTER_OTLP_PROTOCOL must be http/protobuf or http/json, not \"grpc\""
      )
    }))

  it.live("settings that Effect's exporters refuse make the start fail with an error", () =>
    Effect.gen(function*() {
      const daemon = yield* Scope.make()
      const variables = { OTEL_METRIC_EXPORT_INTERVAL: "soon" }
      const error = yield* Effect.flip(start({ otlpEndpoint: "http://127.0.0.1:1" }, variables, daemon))
      yield* Scope.close(daemon, Exit.void)
      assert.match(error.message, /OTEL_METRIC_EXPORT_INTERVAL/)
    }).pipe(Effect.provide(NodeFileSystem.layer)))
})
