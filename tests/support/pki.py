"""Certificates for the tests: CAs, the certificates that they issue, and their revocation lists."""

from __future__ import annotations

import datetime
import ipaddress
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
DAY = datetime.timedelta(days=1)


def _key(kind: str) -> Key:
    return rsa.generate_private_key(65537, 2048) if kind == "rsa" else ec.generate_private_key(ec.SECP256R1())


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def key_text(key: Key, password: str = "") -> str:
    """Return a key in PEM form."""
    protection = serialization.BestAvailableEncryption(password.encode()) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection).decode()


@dataclass
class Pair:
    """A certificate, followed by its intermediate if there is one, and its key, all in PEM form."""

    certificate: str
    key: str
    private: Key

    @property
    def alone(self) -> str:
        """The certificate without its intermediate."""
        end = "-----END CERTIFICATE-----\n"
        return self.certificate.split(end)[0] + end

    @property
    def serial(self) -> int:
        """The certificate's serial number."""
        return x509.load_pem_x509_certificate(self.certificate.encode()).serial_number


class Authority:
    """A CA; with a PARENT it is an intermediate CA."""

    def __init__(self, name: str, parent: Authority | None = None, days: int = 30) -> None:
        self._name, self._key, self._parent = _name(name), _key("ecdsa"), parent
        issuer = parent or self
        now = datetime.datetime.now(datetime.UTC)
        begin = min(now, now + days * DAY) - DAY
        certificate = (
            x509.CertificateBuilder().subject_name(self._name).issuer_name(issuer._name)
            .public_key(self._key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(begin).not_valid_after(now + days * DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.KeyUsage(
                digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
                key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False),
                critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer._key.public_key()), critical=False)
            .sign(issuer._key, hashes.SHA256()))
        self.certificate = certificate.public_bytes(serialization.Encoding.PEM).decode()

    def issue(self, *names: str, kind: str = "ecdsa", days: float = 20, begin: float = -1, server: bool = True,
              status_at: str = "") -> Pair:
        """Issue a certificate for host names and IP addresses; it is valid for a client, and for a SERVER too.

        STATUS_AT is the URL of its status (OCSP).
        """
        key = _key(kind)
        now = datetime.datetime.now(datetime.UTC)
        alternatives = [x509.IPAddress(ipaddress.ip_address(name)) if name[0] == "[" or name.replace(".", "").isdigit()
                        else x509.DNSName(name) for name in names]
        builder = (
            x509.CertificateBuilder().subject_name(_name(names[0])).issuer_name(self._name)
            .public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(now + begin * DAY).not_valid_after(now + days * DAY)
            .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage(
                [ExtendedKeyUsageOID.CLIENT_AUTH, *([ExtendedKeyUsageOID.SERVER_AUTH] if server else [])]),
                critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False))
        if status_at:
            at = x509.UniformResourceIdentifier(status_at)
            builder = builder.add_extension(x509.AuthorityInformationAccess(
                [x509.AccessDescription(AuthorityInformationAccessOID.OCSP, at)]), critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        text = certificate.public_bytes(serialization.Encoding.PEM).decode()
        return Pair(text + (self.certificate if self._parent else ""), key_text(key), key)

    def status(self, pair: Pair) -> bytes:
        """Return an OCSP response that a certificate is good, signed by the responder of this CA."""
        issuer = x509.load_pem_x509_certificate(self.certificate.encode())
        key, now = _key("ecdsa"), datetime.datetime.now(datetime.UTC)
        signer = (x509.CertificateBuilder().subject_name(_name("status")).issuer_name(self._name)
                  .public_key(key.public_key()).serial_number(x509.random_serial_number())
                  .not_valid_before(now - DAY).not_valid_after(now + DAY)
                  .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), critical=False)
                  .sign(self._key, hashes.SHA256()))
        return (ocsp.OCSPResponseBuilder()
                .add_response(x509.load_pem_x509_certificate(pair.alone.encode()), issuer, hashes.SHA1(),
                              ocsp.OCSPCertStatus.GOOD, now - DAY, now + DAY, None, None)
                .responder_id(ocsp.OCSPResponderEncoding.HASH, signer).certificates([signer])
                .sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER))

    def revoked(self, *pairs: Pair, days: int = 10) -> str:
        """Return a revocation list with some certificates, which is valid for some DAYS."""
        now = datetime.datetime.now(datetime.UTC)
        builder = (x509.CertificateRevocationListBuilder().issuer_name(self._name).last_update(now - 9 * DAY)
                   .next_update(now + days * DAY))
        for pair in pairs:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder().serial_number(pair.serial).revocation_date(now - DAY).build())
        return builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()
