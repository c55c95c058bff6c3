import { assert, describe, it } from "@effect/vitest"
import { masked, maskedAddress, maskedArguments, withoutUser } from "../../../src/services/core/Masked.ts"

describe("masking of credentials", () => {
  it("credentials are masked in every URL of a string, and the rest stays", () => {
    for (
      const [text, shown] of [
        ["http://alice:hunter2@web/in", "http://alice:***@web/in"],
        ["https://:hunter2@web", "https://:***@web"],
        ["https://t0ken@web:8443/x?y=z", "https://***@web:8443/x?y=z"],
        ["http://alice:p@ss:w0rd@web/", "http://alice:***@web/"],
        ["HTTP://alice:hunter2@web", "HTTP://alice:***@web"],
        [
          "Get \"http://a:hunter2@b:1/x\": refused; Get \"postgres+ssl://c:hunter2@d/\": refused",
          "Get \"http://a:***@b:1/x\": refused; Get \"postgres+ssl://c:***@d/\": refused"
        ],
        ["/auth?secret=hunter2&remote_ip=1.2.3.4", "/auth?secret=***&remote_ip=1.2.3.4"],
        ["https://web/?api_key=hunter2&q=1&access-token=hunter2#f", "https://web/?api_key=***&q=1&access-token=***#f"],
        ["http://web/?user_password=hunter2 and more", "http://web/?user_password=*** and more"]
      ] as const
    ) assert.strictEqual(masked(text), shown)
  })

  it("strings that only resemble credentials are not masked", () => {
    for (
      const text of [
        "http://web:80/path/@name",
        "http://web/?mail=a@b",
        "200 GET /stats?topic=t (127.0.0.1:5) 1ms",
        "[127.0.0.1:4150] (nsqd) connecting to nsqd",
        "topic=a channel=b@c",
        "/pub?topic=tokens&defer=1"
      ]
    ) assert.strictEqual(masked(text), text)
  })

  it("masking takes linear time", () => {
    for (const part of ["a", "a.", "://", "a://", "?token", "a:", "@", "a://b:c", "=", "?secretsecret"]) {
      const text = `http://x?y=z ${part.repeat(200_000)}`
      assert.isAbove(masked(text).length, 0)
      assert.isAbove(maskedAddress(text).length, 0)
    }
  })
})

describe("masking of addresses", () => {
  it("the credentials of an address are masked with and without a scheme", () => {
    assert.strictEqual(maskedAddress("alice:hunter2@lookup:4161"), "alice:***@lookup:4161")
    assert.strictEqual(maskedAddress("http://alice:hunter2@lookup:4161"), "http://alice:***@lookup:4161")
    assert.strictEqual(maskedAddress("lookup:4161"), "lookup:4161")
    assert.strictEqual(maskedAddress("[::1]:4161"), "[::1]:4161")
  })

  it("the user information of a URL is removed", () => {
    assert.strictEqual(withoutUser("https://alice:hunter2@graphite/base"), "https://graphite/base")
    assert.strictEqual(withoutUser("https://graphite"), "https://graphite")
    assert.strictEqual(withoutUser(""), "")
  })
})

describe("masking of command lines", () => {
  it("the secrets in a command line are masked, and the number of arguments stays the same", () => {
    assert.deepStrictEqual(
      maskedArguments([
        "node",
        "/bin/nsq_to_http",
        "--post=http://alice:hunter2@web/",
        "-get",
        "http://alice:hunter2@web/?m=%s",
        "--lookupd-http-address=alice:hunter2@lookup:4161",
        "--header=Authorization: Bearer hunter2",
        "--header",
        "X-Api-Key: hunter2",
        "--consumer-opt=auth_secret,hunter2",
        "--consumer-opt",
        "auth_secret,hunter2",
        "--consumer-opt=max_attempts,5",
        "--topic=t",
        "--max-in-flight=5"
      ]),
      [
        "node",
        "/bin/nsq_to_http",
        "--post=http://alice:***@web/",
        "-get",
        "http://alice:***@web/?m=%s",
        "--lookupd-http-address=alice:***@lookup:4161",
        "--header=Authorization: ***",
        "--header",
        "X-Api-Key: ***",
        "--consumer-opt=auth_secret,***",
        "--consumer-opt",
        "auth_secret,***",
        "--consumer-opt=max_attempts,5",
        "--topic=t",
        "--max-in-flight=5"
      ]
    )
  })
})
