import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, FileSystem, Redacted } from "effect"
import * as Contexts from "../../../src/services/cli/Contexts.ts"

const withFile = Effect.fnUntraced(function*(text: string, environment: Readonly<Record<string, string>> = {}) {
  const files = yield* FileSystem.FileSystem
  const path = `${yield* files.makeTempDirectoryScoped()}/contexts.toml`
  yield* files.writeFileString(path, text)
  return ConfigProvider.layer(ConfigProvider.fromUnknown({ NSQ_CONTEXTS: path, ...environment }))
})

const file = `
current = "dev"
[contexts.dev]
nsqd_http_addresses = ["127.0.0.1:4151"]
[contexts.prod]
lookupd_http_addresses = ["l1:4161"]
auth_secret = "env:PROD_SECRET"
tls = true
`

describe("Contexts", () => {
  it.effect("the named context is used, or the current one; an unknown name lists the known ones", () =>
    Effect.gen(function*() {
      const contexts = yield* Effect.provide(Contexts.load, yield* withFile(file))
      assert.deepStrictEqual(yield* Contexts.find(contexts, undefined), { nsqd_http_addresses: ["127.0.0.1:4151"] })
      assert.deepStrictEqual((yield* Contexts.find(contexts, "prod"))?.lookupd_http_addresses, ["l1:4161"])
      const { message } = yield* Effect.flip(Contexts.find(contexts, "test"))
      assert.strictEqual(message, "no context \"test\"; known: dev, prod")
    }).pipe(Effect.provide(NodeServices.layer)))

  it.effect("without a file there are no contexts", () =>
    Effect.gen(function*() {
      const nowhere = ConfigProvider.layer(ConfigProvider.fromUnknown({ NSQ_CONTEXTS: "/nonexistent/contexts.toml" }))
      assert.deepStrictEqual(yield* Effect.provide(Contexts.load, nowhere), {})
      assert.isUndefined(yield* Contexts.find({}, undefined))
    }).pipe(Effect.provide(NodeServices.layer)))

  it.effect("a secret comes from the environment or from a file, and is never in the contexts themselves", () =>
    Effect.gen(function*() {
      const environment = yield* withFile(file, { PROD_SECRET: "s3cret" })
      const { authSecret, tls } = yield* Effect.provide(
        Contexts.connectionOf({ auth_secret: "env:PROD_SECRET", tls: true }),
        environment
      )
      assert.strictEqual(authSecret === undefined ? undefined : Redacted.value(authSecret), "s3cret")
      assert.deepStrictEqual(tls, {})
      const missing = yield* Effect.flip(
        Effect.provide(Contexts.connectionOf({ auth_secret: "env:NONE" }), environment)
      )
      assert.strictEqual(missing.message, "auth_secret: NONE is not set")
      const plain = yield* Effect.flip(Contexts.connectionOf({ auth_secret: "s3cret" }))
      assert.strictEqual(plain.message, "auth_secret must be env:NAME or file:PATH")
    }).pipe(Effect.provide(NodeServices.layer)))

  it.effect("a file that is not valid is named with the reason", () =>
    Effect.gen(function*() {
      for (
        const [text, reason] of [["a = ", /contexts\.toml: /], [
          "[contexts.x]\nnsqd = []",
          /contexts\.toml: unknown key at \["contexts"\]\["x"\]\["nsqd"\]$/
        ]] as const
      ) {
        const { message } = yield* Effect.flip(Effect.provide(Contexts.load, yield* withFile(text)))
        assert.match(message, reason)
      }
      const noSecret = yield* Effect.flip(Contexts.connectionOf({ auth_secret: "file:/does/not/exist" }))
      assert.strictEqual(noSecret.message, "open /does/not/exist: no such file or directory")
    }).pipe(Effect.provide(NodeServices.layer)))
})
