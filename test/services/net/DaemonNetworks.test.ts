import { assert, describe, it } from "@effect/vitest"
import { Effect, Result } from "effect"
import * as DaemonNetworks from "../../../src/services/net/DaemonNetworks.ts"
import { unknownHost } from "../../../src/services/net/NetError.ts"

const networksOf = (...cidrs: ReadonlyArray<string>) =>
  DaemonNetworks.make(Result.getOrElse(DaemonNetworks.parse(cidrs), () => []))

/** Whether a daemon of this origin may announce the address. */
const isAllowed = (networks: DaemonNetworks.DaemonNetworks, host: string, origin: DaemonNetworks.Origin) =>
  Effect.match(networks.resolve(host.includes(":") ? `[${host}]:4151` : `${host}:4151`, origin), {
    onSuccess: () => true,
    onFailure: () => false
  })

/** Names with the replies of a hostile DNS server. */
const resolving = (names: Readonly<Record<string, ReadonlyArray<string>>>) =>
  Effect.provideService(DaemonNetworks.HostResolver, (host) => {
    const found = names[host]
    return found === undefined
      ? Effect.fail(unknownHost(`${host} not found`))
      : Effect.succeed(found)
  })

const unusable = [
  "169.254.169.254",
  "224.0.0.1",
  "239.255.255.255",
  "255.255.255.255",
  "0.0.0.0",
  "::",
  "fe80::1",
  "fe80::1%eth0",
  "ff02::1",
  "::ffff:169.254.169.254"
]
const loopback = ["127.0.0.1", "127.255.0.1", "::1", "::ffff:127.0.0.1", "::ffff:7f00:1"]
const usual = ["10.0.0.1", "192.168.1.1", "172.17.0.2", "203.0.113.9", "fd00::1", "2001:db8::1"]

describe("addresses that daemons announce", () => {
  it.effect("an announced address is refused if it is link-local, multicast, unspecified, or loopback from a remote daemon", () =>
    Effect.gen(function*() {
      const networks = networksOf()
      for (const host of unusable) {
        for (const origin of ["remote", "loopback"] as const) {
          assert.isFalse(yield* isAllowed(networks, host, origin), `${host} by ${origin}`)
        }
      }
      for (const host of loopback) {
        assert.isFalse(yield* isAllowed(networks, host, "remote"), host)
        assert.isTrue(yield* isAllowed(networks, host, "loopback"), host)
      }
      for (const host of usual) assert.isTrue(yield* isAllowed(networks, host, "remote"), host)
      // The operator may configure any address.
      for (const host of [...unusable, ...loopback]) assert.isTrue(yield* isAllowed(networks, host, "configured"), host)
    }))

  it.effect("an announced address outside the allowed networks is refused", () =>
    Effect.gen(function*() {
      const networks = networksOf("10.0.0.0/8, 192.168.7.9", "fd00::/8")
      for (const host of ["10.1.2.3", "192.168.7.9", "fd12::1", "::ffff:10.1.2.3"]) {
        assert.isTrue(yield* isAllowed(networks, host, "remote"), host)
      }
      for (const host of ["11.0.0.1", "192.168.7.8", "127.0.0.1", "::1", "2001:db8::1", "169.254.1.1"]) {
        assert.isFalse(yield* isAllowed(networks, host, "loopback"), host)
      }
      assert.isTrue(yield* isAllowed(networksOf("127.0.0.0/8"), "127.0.0.1", "remote"))
      const invalid = DaemonNetworks.parse(["10.0.0.0/8", "10.0.0/8"])
      assert.strictEqual(Result.isFailure(invalid) && invalid.failure.message, "invalid CIDR address: 10.0.0/8")
      const others = [
        "10.0.0.0/33",
        "10.0.0.0/",
        "10.0.0.0/08",
        "10.0.0.0/-1",
        "fd00::/129",
        "fe80::1%eth0/64",
        "/8",
        "name/8"
      ]
      for (const text of others) assert.isTrue(Result.isFailure(DaemonNetworks.parse([text])), text)
      // The address of a network may have bits behind the prefix, and a network of one family has no addresses of the other.
      assert.isTrue(yield* isAllowed(networksOf("10.9.9.9/8"), "10.1.2.3", "remote"))
      assert.isFalse(yield* isAllowed(networksOf("::/0"), "10.1.2.3", "remote"))
      assert.isFalse(yield* isAllowed(networksOf("0.0.0.0/0"), "fd00::1", "remote"))
    }))

  it.effect("an announced host name is checked by the addresses that it resolves to", () =>
    Effect.gen(function*() {
      const networks = networksOf()
      assert.isFalse(yield* isAllowed(networks, "metadata.evil", "remote"))
      assert.isFalse(yield* isAllowed(networks, "self.evil", "remote"))
      assert.isFalse(yield* isAllowed(networks, "gone.evil", "remote"))
      // Of several addresses only the allowed ones are used.
      assert.deepStrictEqual(yield* networks.resolve("mixed.evil:4150", "remote"), [
        "203.0.113.9:4150",
        "[fd00::1]:4150"
      ])
      const refused = yield* Effect.flip(networks.resolve("self.evil:4150", "remote"))
      assert.include(refused.message, "self.evil:4150: 127.0.0.1 is not an address that another daemon may announce")
      assert.include(refused.message, "--allowed-daemon-networks")
    }).pipe(resolving({
      "metadata.evil": ["169.254.169.254"],
      "self.evil": ["127.0.0.1"],
      "mixed.evil": ["127.0.0.1", "203.0.113.9", "::1", "fd00::1"]
    })))

  it.effect("only a daemon on loopback may announce loopback addresses", () =>
    Effect.gen(function*() {
      const { originBy } = networksOf()
      assert.strictEqual(yield* originBy("127.0.0.1:4161"), "loopback")
      assert.strictEqual(yield* originBy("[::1]:4161"), "loopback")
      assert.strictEqual(yield* originBy("here:4161"), "loopback")
      assert.strictEqual(yield* originBy("10.0.0.1:4161"), "remote")
      assert.strictEqual(yield* originBy("both:4161"), "remote")
      assert.strictEqual(yield* originBy("unknown:4161"), "remote")
    }).pipe(resolving({ here: ["127.0.0.1", "::1"], both: ["127.0.0.1", "10.0.0.1"] })))

  it.live("an announced host name is checked again when a socket resolves it", () =>
    Effect.gen(function*() {
      const lookup = (origin: DaemonNetworks.Origin) =>
        Effect.callback<string>((resume) =>
          networksOf().lookup(origin)("localhost", { all: true }, (error, found) =>
            resume(Effect.succeed(error === null ? JSON.stringify(found) : error.message)))
        )
      assert.include(yield* lookup("remote"), "--allowed-daemon-networks")
      assert.match(yield* lookup("loopback"), /127\.0\.0\.1|::1/)
    }))
})
