import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.Security;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.SSLSocket;

/** A JSSE server that disables nothing but what jdk.tls.server.* properties say, one thread a client: PORT KEY CERT [KEY CERT]... */
public final class JsseServer {
    private static final char[] PASSWORD = "test".toCharArray();

    public static void main(String[] arguments) throws Exception {
        for (String list : new String[] {"jdk.tls.disabledAlgorithms", "jdk.tls.legacyAlgorithms",
                "jdk.certpath.disabledAlgorithms"}) {
            Security.setProperty(list, "");
        }
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, PASSWORD);
        for (int at = 1; at + 1 < arguments.length; at += 2) {
            Certificate[] chain = chain(arguments[at + 1]);
            PrivateKey key = key(arguments[at], chain[0].getPublicKey().getAlgorithm());
            store.setKeyEntry("key" + at, key, PASSWORD, chain);
        }
        KeyManagerFactory keys = KeyManagerFactory.getInstance("PKIX");
        keys.init(store, PASSWORD);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(keys.getKeyManagers(), null, null);

        ExecutorService clients = Executors.newCachedThreadPool();
        try (SSLServerSocket listener = (SSLServerSocket) context.getServerSocketFactory()
                .createServerSocket(Integer.parseInt(arguments[0]), 1024, InetAddress.getLoopbackAddress())) {
            if (System.getProperty("jdk.tls.server.protocols") == null) {
                listener.setEnabledProtocols(listener.getSupportedProtocols());
            }
            if (System.getProperty("jdk.tls.server.cipherSuites") == null) {
                listener.setEnabledCipherSuites(listener.getSupportedCipherSuites());
            }
            while (true) {
                SSLSocket client = (SSLSocket) listener.accept();
                clients.execute(() -> serve(client));
            }
        }
    }

    private static void serve(SSLSocket client) {
        try (client; InputStream input = client.getInputStream()) {
            client.setSoTimeout(10_000);
            client.startHandshake();
            if (input.read(new byte[4096]) > 0) {
                client.getOutputStream().write("HTTP/1.0 200 OK\r\n\r\ntlswire\n".getBytes());
            }
        } catch (IOException | RuntimeException refused) {
            // What goes wrong with one client is that client's affair.
        }
    }

    private static Certificate[] chain(String path) throws Exception {
        try (InputStream input = Files.newInputStream(Path.of(path))) {
            return CertificateFactory.getInstance("X.509").generateCertificates(input).toArray(new Certificate[0]);
        }
    }

    private static PrivateKey key(String path, String algorithm) throws Exception {
        String base64 = Files.readString(Path.of(path)).replaceAll("-----[^-]+-----", "").replaceAll("\\s", "");
        PKCS8EncodedKeySpec encoded = new PKCS8EncodedKeySpec(Base64.getDecoder().decode(base64));
        return KeyFactory.getInstance(algorithm).generatePrivate(encoded);
    }
}
