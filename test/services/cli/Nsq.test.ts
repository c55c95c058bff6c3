import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Queue } from "effect"
import { Nsqd } from "../../../src/services/nsqd/Nsqd.ts"
import { fixedPort } from "../net/fixedPort.ts"
import { daemon, daemonWith, failureOf, run, runAlone } from "./cli.ts"

const printed = (...args: ReadonlyArray<string>) => Effect.map(run(args), ({ out }) => out)

describe("nsq", () => {
  it.live("pub publishes its arguments or the lines of its input, and sub prints and finishes the messages", () =>
    Effect.gen(function*() {
      yield* run(["topic", "create", "orders"])
      yield* run(["channel", "create", "orders", "kitchen"])
      assert.strictEqual(yield* printed("pub", "orders", "tea", "milk"), "2 published to orders")
      const { out } = yield* run(["pub", "orders"], "sugar\n\nlemon\n")
      assert.strictEqual(out, "2 published to orders")
      assert.strictEqual(yield* printed("sub", "orders", "kitchen", "-n", "3"), "tea\nmilk\nsugar")
      const last = JSON.parse(yield* printed("sub", "orders", "kitchen", "-n", "1", "--json"))
      assert.deepStrictEqual([last.body, last.attempts], ["lemon", 1])
    }).pipe(Effect.provide(daemon)))

  it.live("pub --delay defers messages", () =>
    Effect.gen(function*() {
      yield* run(["topic", "create", "later"])
      yield* run(["channel", "create", "later", "c"])
      yield* run(["pub", "later", "x", "--delay", "1h"])
      const [, channel] = JSON.parse(yield* printed("stat", "later", "--json"))
      assert.deepStrictEqual([channel.depth, channel.deferred], [0, 1])
      const { exit } = yield* run(["pub", "later", "x", "--delay", "soon"])
      assert.isTrue(Exit.isFailure(exit))
    }).pipe(Effect.provide(daemon)))

  it.live("topic list and stat print tables, or JSON for programs", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* printed("topic", "list"), "no topics; publish to create one: nsq pub TOPIC MESSAGE")
      yield* run(["pub", "orders", "a", "b"])
      yield* run(["channel", "create", "orders", "kitchen"])
      assert.strictEqual(
        yield* printed("topic", "list"),
        "TOPIC   BACKLOG  CHANNELS  MESSAGES  NSQDS\norders        2         1         2      1"
      )
      const stat = yield* printed("stat")
      assert.match(stat, /^TOPIC {3}CHANNEL {2}DEPTH {2}IN FLIGHT .*\norders .*\norders {2}kitchen {6}2 /)
      assert.deepStrictEqual(JSON.parse(yield* printed("topic", "list", "--json")), [
        { topic: "orders", backlog: 2, channels: 1, messages: 2, nodes: 1, paused: false }
      ])
      assert.match(yield* printed("node", "list"), /^NSQD .*\n127\.0\.0\.1:\d+ +1\.3\.0 \(effect-nsq .*\) +1 +2 +OK$/)
    }).pipe(Effect.provide(daemon)))

  it.live("topics and channels are created, paused, emptied and deleted", () =>
    Effect.gen(function*() {
      const done = (past: string, subject: string) => `${subject} ${past} on 1 of 1 nsqd`
      assert.strictEqual(yield* printed("topic", "create", "t"), done("created", "topic t"))
      assert.strictEqual(yield* printed("channel", "create", "t", "c"), done("created", "channel t/c"))
      assert.strictEqual(yield* printed("channel", "pause", "t", "c"), done("paused", "channel t/c"))
      assert.strictEqual(yield* printed("topic", "pause", "t"), done("paused", "topic t"))
      assert.match(yield* printed("stat"), /paused\n.*paused$/)
      assert.strictEqual(yield* printed("topic", "unpause", "t"), done("resumed", "topic t"))
      assert.strictEqual(yield* printed("channel", "unpause", "t", "c"), done("resumed", "channel t/c"))
      yield* run(["pub", "t", "x"])
      assert.strictEqual(yield* printed("channel", "empty", "t", "c", "--yes"), done("emptied", "channel t/c"))
      assert.strictEqual(yield* printed("channel", "delete", "t", "c", "-y"), done("deleted", "channel t/c"))
      assert.strictEqual(yield* printed("topic", "empty", "t", "-y"), done("emptied", "topic t"))
      assert.strictEqual(yield* printed("topic", "delete", "t", "-y"), done("deleted", "topic t"))
      assert.deepStrictEqual(failureOf(yield* run(["topic", "delete", "t", "-y"])), [1, "topic t does not exist"])
    }).pipe(Effect.provide(daemon)))

  it.live("channel list prints the channels of all topics or of one, or JSON for programs", () =>
    Effect.gen(function*() {
      assert.strictEqual(
        yield* printed("channel", "list"),
        "no channels; consume to create one: nsq sub TOPIC CHANNEL"
      )
      for (const [topic, channel] of [["orders", "kitchen"], ["mail", "archive"]] as const) {
        yield* run(["topic", "create", topic])
        yield* run(["channel", "create", topic, channel])
      }
      yield* run(["pub", "orders", "a", "b"])
      yield* run(["channel", "pause", "mail", "archive"])
      assert.match(
        yield* printed("channel", "list"),
        /^TOPIC +CHANNEL +DEPTH .*\nmail +archive +0 .* paused\norders +kitchen +2 .*1$/
      )
      assert.deepStrictEqual(JSON.parse(yield* printed("channel", "list", "orders", "--json")), [{
        topic: "orders",
        channel: "kitchen",
        depth: 2,
        inFlight: 0,
        deferred: 0,
        clients: 0,
        nodes: 1,
        paused: false
      }])
    }).pipe(Effect.provide(daemon)))

  it.live("a topic or a channel that does not exist is named by every command, with exit code 1", () =>
    Effect.gen(function*() {
      yield* run(["topic", "create", "t"])
      const cases: ReadonlyArray<readonly [args: ReadonlyArray<string>, message: string]> = [
        [["stat", "none"], "topic none does not exist"],
        [["stat", "t", "none"], "channel t/none does not exist"],
        [["channel", "list", "none"], "topic none does not exist"],
        [["channel", "pause", "t", "none"], "channel t/none does not exist"],
        [["channel", "create", "none", "c"], "topic none does not exist; create it first: nsq topic create none"],
        [["peek", "none"], "topic none does not exist"],
        [["seek", "t", "none", "end", "--yes"], "channel t/none does not exist"]
      ]
      for (const [args, message] of cases) assert.deepStrictEqual(failureOf(yield* run(args)), [1, message])
    }).pipe(Effect.provide(daemon)))

  it.live("what would lose messages needs a confirmation, which says how many", () =>
    Effect.gen(function*() {
      yield* run(["pub", "t", "x", "y"])
      yield* run(["channel", "create", "t", "c"])
      assert.deepStrictEqual(failureOf(yield* run(["topic", "delete", "t"])), [
        3,
        "t has 2 messages, which will be lost; give --yes to confirm"
      ])
      assert.match(yield* printed("stat", "t"), /2/)
    }).pipe(Effect.provide(daemon)))

  it.live("a confirmation about an empty topic says that it has no messages", () =>
    Effect.gen(function*() {
      yield* run(["topic", "create", "t"])
      assert.deepStrictEqual(failureOf(yield* run(["topic", "delete", "t"])), [
        3,
        "t has no messages; give --yes to confirm"
      ])
    }).pipe(Effect.provide(daemon)))

  it.effect("an argument that is not valid is an error on standard error alone, with the command that helps", () =>
    Effect.gen(function*() {
      const bad = yield* runAlone(["pub", "bad name", "x"])
      assert.deepStrictEqual([bad.out, Exit.isFailure(bad.exit)], ["", true])
      assert.match(bad.err, /^nsq: Invalid value for argument <topic>: "bad name"/)
      assert.match(bad.err, /\nnsq pub --help lists its arguments, flags and examples$/)
      const unknown = yield* runAlone(["pbu"])
      assert.strictEqual(unknown.out, "")
      assert.match(unknown.err, /^nsq: Unknown subcommand "pbu" for "nsq"[^]*pub[^]*\nnsq --help lists/)
    }))

  it.effect("an address without a port, text in place of a number and an unknown check are refused before any request", () =>
    Effect.gen(function*() {
      for (
        const [args, why] of [
          [["stat", "--nsqd-http-address", "localhost"], /--nsqd-http-address: "localhost". Expected: <host>:<port>/],
          [["pub", "t", "x", "--nsqd-tcp-address", "10.0.0.1"], /"10.0.0.1". Expected: <host>:<port>/],
          [["sub", "t", "c", "--count", "many"], /--count: "many". Expected: a whole number/],
          [["doctor", "--skip", "full-disc"], /--skip: "full-disc". Expected: .*"full-disk"/]
        ] as const
      ) {
        const { err, out } = yield* runAlone(args)
        assert.strictEqual(out, "")
        assert.match(err, why)
      }
    }))

  it.live("a daemon that is away, has an unknown name or is another one is an error with what to do", () =>
    Effect.gen(function*() {
      const { httpPort } = yield* Nsqd
      const refused = "127.0.0.1:1: connection refused; start the daemon there, or name another cluster with " +
        "--lookupd-http-address, --nsqd-http-address or --context"
      assert.deepStrictEqual(failureOf(yield* runAlone(["stat", "--nsqd-http-address", "127.0.0.1:1"])), [1, refused])
      const lookupd = yield* runAlone(["stat", "--lookupd-http-address", `127.0.0.1:${httpPort}`])
      assert.match(failureOf(lookupd)?.[1] ?? "", /404 NOT_FOUND; check that it is the HTTP address of the daemon/)
      const pub = yield* runAlone(["pub", "t", "x", "--nsqd-tcp-address", "127.0.0.1:1"])
      assert.match(
        failureOf(pub)?.[1] ?? "",
        /no nsqd is connected: 127.0.0.1:1: connection refused; start nsqd there, or/
      )
    }).pipe(Effect.provide(daemon)))

  it.effect("help is on standard output where it is requested, and on standard error in place of a command", () =>
    Effect.gen(function*() {
      const requested = yield* runAlone(["topic", "--help"])
      assert.deepStrictEqual([requested.err, Exit.isSuccess(requested.exit)], ["", true])
      assert.include(requested.out, "SUBCOMMANDS")
      const implicit = yield* runAlone(["topic"])
      assert.deepStrictEqual([implicit.out, Exit.isFailure(implicit.exit)], ["", true])
      assert.include(implicit.err, "SUBCOMMANDS")
    }))

  it.effect("every command has examples in its help, and every command of NSQ's programs is named", () =>
    Effect.gen(function*() {
      const without: Array<string> = []
      const paths: Array<ReadonlyArray<string>> = [[]]
      for (const path of paths) {
        const { out } = yield* runAlone([...path, "--help"])
        if (path.length > 0 && !out.includes("EXAMPLES")) without.push(path.join(" "))
        const [, list = ""] = /\nSUBCOMMANDS\n((?: {2}\S.*\n?)*)/.exec(out) ?? []
        for (const [, name = ""] of list.matchAll(/^ {2}(\S+)/gm)) paths.push([...path, name])
        if (path.length === 0) assert.include(out, "nsq nsqadmin")
      }
      assert.isAbove(paths.length, 40)
      assert.deepStrictEqual(without, [])
    }))

  it.live("sub writes why it waits for an nsqd to standard error", () =>
    Effect.gen(function*() {
      const lines = yield* Queue.unbounded<string>()
      yield* Effect.forkScoped(
        runAlone(["sub", "t", "c", "--nsqd-tcp-address=127.0.0.1:1"], "", (line) => Queue.offerUnsafe(lines, line))
      )
      assert.strictEqual(yield* Queue.take(lines), "nsq: 127.0.0.1:1: connection refused")
    }))

  it.live("sub writes one line for each nsqd that it cannot reach, and one when an nsqd is connected", () =>
    Effect.gen(function*() {
      const address = `127.0.0.1:${yield* fixedPort}`
      const lines = yield* Queue.unbounded<string>()
      yield* Effect.forkScoped(
        runAlone(
          ["sub", "t", "c", "--nsqd-tcp-address=127.0.0.1:1", `--nsqd-tcp-address=${address}`],
          "",
          (line) => Queue.offerUnsafe(lines, line)
        )
      )
      const unreachable = [yield* Queue.take(lines), yield* Queue.take(lines)]
      assert.sameMembers(unreachable, ["nsq: 127.0.0.1:1: connection refused", `nsq: ${address}: connection refused`])
      yield* Layer.build(daemonWith({ tcpAddress: address }))
      assert.strictEqual(yield* Queue.take(lines), `nsq: ${address}: connected`)
    }))

  it.live("sub ends with the reason of nsqd if that refuses it for good", () =>
    Effect.gen(function*() {
      const [code, message = ""] = failureOf(yield* run(["sub", "t", "c"])) ?? []
      assert.strictEqual(code, 1)
      assert.match(
        message,
        /^127\.0\.0\.1:\d+: Auth Required; set auth_secret in a context and name it with --context$/
      )
    }).pipe(Effect.provide(daemonWith({ authHttpAddresses: ["127.0.0.1:1"] }))))

  it.live("a daemon that cannot be reached, and input that is not valid, have different exit codes", () =>
    Effect.gen(function*() {
      const unreachable = failureOf(yield* runAlone(["stat", "--nsqd-http-address=127.0.0.1:1"]))
      assert.deepStrictEqual(unreachable?.[0], 1)
      assert.match(unreachable?.[1] ?? "", /127\.0\.0\.1:1: connection refused/)
      assert.deepStrictEqual(failureOf(yield* runAlone(["sub", "t", "c", "--count", "0"])), [
        2,
        "--count must be at least 1"
      ])
      assert.deepStrictEqual(failureOf(yield* runAlone(["node", "tombstone", "t", "host:4151"])), [
        2,
        "nsqlookupd hides nodes, and none is given: give --lookupd-http-address"
      ])
      assert.deepStrictEqual(failureOf(yield* runAlone(["--json", "standalone"])), [
        2,
        "standalone has no flags before its name: nsq standalone [flags]"
      ])
    }))
})
