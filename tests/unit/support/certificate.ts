/**
 * A certificate for "localhost" and the authority that has signed it, made for these tests alone:
 *
 *     openssl req -x509 ... -subj "/CN=srs-edge tests"; openssl x509 -req -CA ... subjectAltName=DNS:localhost
 *
 * @module
 */

/** What a client is to trust. */
export const TEST_CA = `
-----BEGIN CERTIFICATE-----
MIIBijCCAS+gAwIBAgIUYSmbyuJhDOyd4bIpSRxSZ4w8dDQwCgYIKoZIzj0EAwIw
GTEXMBUGA1UEAwwOc3JzLWVkZ2UgdGVzdHMwIBcNMjYxMTIyMjAxMDIxWhgPMjEy
NjEwMjkyMDEwMjFaMBkxFzAVBgNVBAMMDnNycy1lZGdlIHRlc3RzMFkwEwYHKoZI
zj0CAQYIKoZIzj0DAQcDQgAE6NABnh7IpDLAlLGu+KZ/dmFoMqLEYYHVBkmb5cmG
m7oCOqsH9x618aYIYOZP2vHv7BzkRM9jaFsPxQPDF2EJy6NTMFEwHQYDVR0OBBYE
FKz8kTi1V/lFyoXHbsD/nqIZKIcZMB8GA1UdIwQYMBaAFKz8kTi1V/lFyoXHbsD/
nqIZKIcZMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSQAwRgIhAKHDQ3CH
4ck7tKnM/rqiF5+zAzGmt2j+llJKuvMpzNimAiEAydF5VxzV7q/OwjZO1msLOZiO
4/OBYlmgpu/MDnpbEEw=
-----END CERTIFICATE-----
`;

/** The server's certificate. */
export const TEST_CERTIFICATE = `
-----BEGIN CERTIFICATE-----
MIIBlzCCAT2gAwIBAgIUNn+waKXIZSF8Mtk4XbqbS4k1PKMwCgYIKoZIzj0EAwIw
GTEXMBUGA1UEAwwOc3JzLWVkZ2UgdGVzdHMwIBcNMjYxMTIyMjAxMDIxWhgPMjEy
NjEwMjkyMDEwMjFaMBQxEjAQBgNVBAMMCWxvY2FsaG9zdDBZMBMGByqGSM49AgEG
CCqGSM49AwEHA0IABLGRzHsIi0omPcG9V8awWFNGbH1bYhjPiOjhtuned0/nsqxg
qFp96TlQPluYoYLr4rqMzu3Drw/SCzJryydWgwyjZjBkMBQGA1UdEQQNMAuCCWxv
Y2FsaG9zdDAMBgNVHRMBAf8EAjAAMB0GA1UdDgQWBBRom9xWAl6ECy9+kxIx42kb
/DUPNjAfBgNVHSMEGDAWgBSs/JE4tVf5RcqFx27A/56iGSiHGTAKBggqhkjOPQQD
AgNIADBFAiEAvT26H/SU9rYACK5UxPiKxl5jMZ+oB8diNBomEaHBOeMCIFh3srQk
qiKDX4x6vg7MPKxspdYlC7iZSk/QLpkvnEzC
-----END CERTIFICATE-----
`;

/** Its key, which is no secret. */
export const TEST_KEY = `
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgw+k9BWfmLw8ZJTuU
OUgfGxmCEIOzuYhPh1QiOIhF/hahRANCAASxkcx7CItKJj3BvVfGsFhTRmx9W2IY
z4jo4bbp3ndP57KsYKhafek5UD5bmKGC6+K6jM7tw68P0gsya8snVoMM
-----END PRIVATE KEY-----
`;
