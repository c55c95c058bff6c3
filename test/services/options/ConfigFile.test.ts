import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Result } from "effect"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as NsqdOptions from "../../../src/services/nsqd/options/NsqdOptions.ts"
import * as ConfigFile from "../../../src/services/options/ConfigFile.ts"
import { type OptionsError, OptionsErrorReason } from "../../../src/services/options/OptionsError.ts"

const load = (text: string) =>
  Effect.gen(function*() {
    const directory = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "config-"))),
      (directory) => Effect.sync(() => rmSync(directory, { recursive: true }))
    )
    const path = join(directory, "nsqd.cfg")
    writeFileSync(path, text)
    return yield* ConfigFile.load(NsqdOptions.table, {
      path,
      unused: new Set(["verbose", "worker_id"]),
      logFormat: "nsq"
    })
  })

const given = (text: string) => Effect.map(load(text), (settings) => settings.given)
const descriptionOf = ({ reason }: OptionsError) =>
  reason._tag === "InvalidConfigFile" ? reason.description : reason._tag
const refusal = (text: string) => Effect.map(Effect.flip(load(text)), descriptionOf)

describe("ConfigFile", () => {
  it.effect("a config file sets the options that it names, and no others", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* load(""), { given: {}, warnings: [] })
      assert.deepStrictEqual(
        yield* given([
          "# as in NSQ's example",
          "log_level = \"WARN\"",
          "id = 77",
          "tcp_address = \"0.0.0.0:4150\"",
          "mem_queue_size = 123",
          "snappy = false",
          "nsqlookupd_tcp_addresses = [",
          "    \"127.0.0.1:1\",",
          "    \"127.0.0.1:2\"",
          "]",
          "e2e_processing_latency_percentiles = [ 0.5, 1.0, 0.99 ]",
          "tls_required = false",
          "tls_min_version = \"\""
        ].join("\n")),
        {
          logLevel: "warn",
          nodeId: 77,
          tcpAddress: "0.0.0.0:4150",
          memQueueSize: 123,
          snappy: false,
          lookupdTcpAddresses: ["127.0.0.1:1", "127.0.0.1:2"],
          e2eProcessingLatencyPercentiles: [0.5, 1, 0.99],
          tlsRequired: false,
          tlsMinVersion: "TLSv1.2"
        }
      )
    }))

  it.effect("a duration in a config file is a string with units or a number of milliseconds", () =>
    Effect.gen(function*() {
      for (const value of ["\"1.5s\"", "1500", "\"1500\"", "\"1s500ms\""]) {
        const { msgTimeout } = yield* given(`msg_timeout = ${value}`)
        assert.isTrue(msgTimeout !== undefined && Duration.equals(msgTimeout, Duration.millis(1500)), value)
      }
    }))

  it.effect("a config file may contain every value as a string, and lists separated by commas", () =>
    Effect.gen(function*() {
      const { e2eProcessingLatencyPercentiles, lookupdTcpAddresses, ...rest } = yield* given([
        "mem_queue_size = \"5\"",
        "deflate = \"false\"",
        "tls_required = \"tcp-https\"",
        "nsqlookupd_tcp_addresses = \"a:1, b:2\"",
        "e2e_processing_latency_percentiles = \"1,0.5\""
      ].join("\n"))
      assert.deepStrictEqual(rest, { memQueueSize: 5, deflate: false, tlsRequired: "tcp-https" })
      assert.deepStrictEqual(lookupdTcpAddresses, ["a:1", "b:2"])
      assert.deepStrictEqual(e2eProcessingLatencyPercentiles, [1, 0.5])
    }))

  it.effect("the error for an invalid value names its key and the expected value", () =>
    Effect.gen(function*() {
      const coerce = (key: string, shown: string, expected: string) =>
        `failed to coerce value ${shown} for ${key} - ${expected}`
      const cases: ReadonlyArray<readonly [string, string]> = [
        ["mem_queue_size = \"abc\"", coerce("mem_queue_size", "abc", "parse error")],
        ["mem_queue_size = 5.5", coerce("mem_queue_size", "5.5", "must be an integer")],
        ["mem_queue_size = 9007199254740993", coerce("mem_queue_size", "9007199254740993", "value out of range")],
        ["mem_queue_size = true", coerce("mem_queue_size", "true", "must be an integer")],
        ["deflate = 0", coerce("deflate", "0", "must be true or false")],
        ["topology_region = 5", coerce("topology_region", "5", "must be a string")],
        ["topology_region = 1979-05-27", coerce("topology_region", "a date", "must be a string")],
        ["auth_http_addresses = [1]", coerce("auth_http_addresses", "a list", "must be a list of strings")],
        [
          "e2e_processing_latency_percentiles = [\"1\"]",
          coerce(
            "e2e_processing_latency_percentiles",
            "a list",
            "must be a list of numbers"
          )
        ],
        ["log_format = \"xml\"", coerce("log_format", "xml", "must be one of nsq, json")],
        ["msg_timeout = 1.5", coerce("msg_timeout", "1.5", "must be a duration such as \"5s\", or whole milliseconds")],
        [
          "msg_timeout = \"5 apples\"",
          coerce(
            "msg_timeout",
            "5 apples",
            "time: unknown unit \" apples\" in duration \"5 apples\""
          )
        ],
        [
          "log_level = \"loud\"",
          "failed parsing log_level loud - invalid log level 'loud' (debug, info, warn, error, fatal)"
        ],
        ["tls_min_version = 1.2", "failed parsing tls_min_version 1.2 - must be the name of a TLS version"],
        ["tls_required = 1", "failed parsing tls_required 1 - must be true, false or \"tcp-https\""]
      ]
      for (const [text, message] of cases) assert.strictEqual(yield* refusal(text), message)
    }))

  it.effect("a flag's name is accepted as a key, with a warning that names the right key", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(
        yield* load("log-level = \"info\"\nhttp-address = \"a:1\"\nlookupd-tcp-address = [\"b:2\"]\nnode_id = 7\n"),
        {
          given: { logLevel: "info", httpAddress: "a:1", lookupdTcpAddresses: ["b:2"], nodeId: 7 },
          warnings: [
            "log-level in the config file should be log_level",
            "http-address in the config file should be http_address",
            "lookupd-tcp-address in the config file should be nsqlookupd_tcp_addresses",
            "node_id in the config file should be id"
          ]
        }
      )
      assert.strictEqual(
        yield* refusal("log-level = \"info\"\nlog_level = \"warn\"\n"),
        "log-level and log_level in the config file are the same option"
      )
      assert.deepStrictEqual(yield* load("max-message-size = 5\nworker-id = 1"), {
        given: { maxMsgSize: 5 },
        warnings: [
          "max-message-size in the config file is deprecated, use max_msg_size",
          "worker-id in the config file is deprecated and has no effect"
        ]
      })
    }))

  it.effect("an unknown key is an error that names the key", () =>
    Effect.gen(function*() {
      assert.strictEqual(
        yield* refusal("mem_queue_sise = 1"),
        "unknown key \"mem_queue_sise\"; did you mean mem_queue_size?"
      )
      assert.strictEqual(
        yield* refusal("MEM_QUEUE_SIZE = 1"),
        "unknown key \"MEM_QUEUE_SIZE\"; did you mean mem_queue_size?"
      )
      assert.strictEqual(yield* refusal("[section]\nmem_queue_size = 1"), "unknown key \"section\"")
      assert.strictEqual(yield* refusal("__proto__ = 1"), "unknown key \"__proto__\"")
      assert.strictEqual(
        yield* refusal("mem-queue-sise = 1"),
        "unknown key \"mem-queue-sise\"; did you mean mem_queue_size?"
      )
    }))

  it.effect("deprecated keys are accepted with a warning", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* load("max_message_size = 5\nverbose = true\n"), {
        given: { maxMsgSize: 5 },
        warnings: [
          "max_message_size in the config file is deprecated, use max_msg_size",
          "verbose in the config file is deprecated and has no effect"
        ]
      })
    }))

  it.effect("the error for invalid TOML states line and column", () =>
    Effect.gen(function*() {
      assert.match(yield* refusal("id = 1\nmem_queue_size 5\n"), /^line 2, column 1[0-9]*: Invalid TOML document: /)
      assert.match(yield* refusal("id = 1\nid = 2\n"), /^line 2, .*: Invalid TOML document: /)
    }))

  it.effect("the error for a missing file names the file", () =>
    Effect.gen(function*() {
      const path = "/does/not/exist.cfg"
      const { message, reason } = yield* Effect.flip(
        ConfigFile.load(NsqdOptions.table, { path, unused: new Set(), logFormat: "json" })
      )
      const description = `open ${path}: no such file or directory`
      assert.deepStrictEqual(reason, OptionsErrorReason.InvalidConfigFile({ path, description, logFormat: "json" }))
      assert.strictEqual(message, `failed to load config file ${path} - ${description}`)
    }))

  it("a config file uses the same name for each option as /config", () => {
    for (const row of Object.values(NsqdOptions.table)) {
      assert.isTrue(Result.isFailure(ConfigFile.decode(NsqdOptions.table, { [row.key]: {} }, new Set())), row.key)
    }
  })
})
