/** What systemd's units rely on: messages to the service manager, and sockets that it opens. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Schedule } from "effect"
import { execFileSync, spawn } from "node:child_process"
import * as Fs from "node:fs"
import { join } from "node:path"
import * as Daemon from "../integration/daemon.ts"

const hasPerl = ((): boolean => {
  try {
    execFileSync("perl", ["-MSocket", "-MPOSIX", "-e", "1"], { stdio: "ignore" })
    return true
  } catch {
    return false
  }
})()

/** Opens two sockets, prints their ports, and starts its arguments for each line of its input: with the sockets, as systemd does. */
const parent = `
  $^F = 9; $| = 1;
  for my $i (0, 1) {
    my $s; socket($s, PF_INET, SOCK_STREAM, 0) && bind($s, sockaddr_in(0, INADDR_LOOPBACK)) && listen($s, 16) or die $!;
    push @s, $s; print((sockaddr_in(getsockname($s)))[0], "\\n");
  }
  while (<STDIN>) {
    my $pid = fork;
    if ($pid == 0) {
      my @copies = map { POSIX::dup(fileno($_)) } @s;
      POSIX::dup2($copies[$_], 3 + $_) for (0, 1);
      $ENV{LISTEN_PID} = $$; $ENV{LISTEN_FDS} = 2; open(STDIN, "<", "/dev/null");
      exec @ARGV;
    }
    print "$pid\\n"; waitpid($pid, 0); print "ended ", $? >> 8, "\\n";
  }`

describe("systemd", () => {
  it.live(
    "nsqd says when it is ready, reloads and stops, to the service manager that the environment names",
    () =>
      Effect.gen(function*() {
        const directory = yield* Daemon.temporaryDirectory
        const messages = join(directory, "messages")
        Fs.writeFileSync(join(directory, "systemd-notify"), `#!/bin/sh\necho "$@" >> ${messages}\n`, { mode: 0o755 })
        const daemon = yield* Daemon.start(yield* Daemon.temporaryDirectory, [], {
          command: ["env", "NOTIFY_SOCKET=/run/notify", `PATH=${directory}:${process.env["PATH"]}`, ...Daemon.nsqd]
        })
        const sent = Effect.sync(() =>
          Fs.existsSync(messages) ? Fs.readFileSync(messages, "utf8").split("\n").slice(0, -1) : []
        )
        const until = (count: number) =>
          Effect.repeat(sent, { until: ({ length }) => length >= count, schedule: Schedule.spaced("20 millis") })
        assert.deepStrictEqual(yield* until(1), ["READY=1"])
        yield* daemon.signal("SIGHUP")
        const [, reloading = "", ready] = yield* until(3)
        assert.match(reloading, /^RELOADING=1 MONOTONIC_USEC=\d+$/)
        assert.strictEqual(ready, "READY=1")
        yield* daemon.signal("SIGTERM")
        assert.strictEqual(yield* daemon.exited, 0)
        assert.deepStrictEqual((yield* sent).slice(3), ["STOPPING=1"])
      }),
    240_000
  )

  it.live("nsqd runs without the program that sends messages, and says so in its log", () =>
    Effect.gen(function*() {
      const directory = yield* Daemon.temporaryDirectory
      // Only what nsqd itself needs.
      Fs.symlinkSync("/usr/bin/flock", join(directory, "flock"))
      const daemon = yield* Daemon.start(yield* Daemon.temporaryDirectory, [], {
        command: ["/usr/bin/env", "NOTIFY_SOCKET=/run/notify", `PATH=${directory}`, ...Daemon.nsqd]
      })
      yield* daemon.logged(/WARNING: cannot notify systemd of READY=1 - .*ENOENT/)
      yield* daemon.signal("SIGTERM")
      assert.strictEqual(yield* daemon.exited, 0)
    }), 240_000)

  it.live.skipIf(!hasPerl)(
    "connections wait in the sockets of the parent process while nsqd restarts",
    () =>
      Effect.gen(function*() {
        const data = yield* Daemon.temporaryDirectory
        let output = ""
        const manager = yield* Effect.acquireRelease(
          Effect.sync(() => {
            // The addresses are those of no listener: nsqd opens none of its own.
            const flags = [`--data-path=${data}`, "--tcp-address=192.0.2.1:1", "--http-address=192.0.2.1:2"]
            const command = ["-MSocket", "-MPOSIX", "-e", parent, ...Daemon.nsqd, ...flags]
            const child = spawn("perl", command, { stdio: ["pipe", "pipe", "ignore"] })
            child.stdout.setEncoding("utf8").on("data", (text: string) => output += text)
            return child
          }),
          (child) => Effect.sync(() => void child.stdin.end())
        )
        const line = (index: number): Effect.Effect<string> =>
          Effect.map(
            Effect.repeat(Effect.sync(() => output.split("\n").slice(0, -1)[index]), {
              until: (text) => text !== undefined,
              schedule: Schedule.spaced("20 millis")
            }),
            (text) => text ?? ""
          )
        const http = yield* line(1)
        const publish = Effect.promise(async () =>
          (await fetch(`http://127.0.0.1:${http}/pub?topic=orders`, { method: "POST", body: "tea" })).text()
        )
        const info = Effect.promise(async () => (await fetch(`http://127.0.0.1:${http}/info`)).text())
        manager.stdin.write("start\n")
        const first = Number(yield* line(2))
        assert.strictEqual(yield* publish, "OK")
        assert.include(yield* info, `"tcp_port":${yield* line(0)}`)
        process.kill(first, "SIGTERM")
        assert.strictEqual(yield* line(3), "ended 0")
        const waiting = yield* Effect.forkChild(publish, { startImmediately: true })
        manager.stdin.write("start\n")
        const second = Number(yield* line(4))
        assert.strictEqual(yield* Fiber.join(waiting), "OK")
        process.kill(second, "SIGTERM")
        assert.strictEqual(yield* line(5), "ended 0")
      }),
    240_000
  )
})
