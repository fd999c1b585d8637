import java.net.Socket;
import java.security.Security;
import java.security.cert.X509Certificate;
import java.util.List;
import javax.net.ssl.SNIHostName;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManager;
import javax.net.ssl.X509TrustManager;

/** One handshake of JSSE: Client PORT NAME [PROTOCOL...]. Trusts everybody: the other side is ours. */
public final class Client {
    private static final class Everybody implements X509TrustManager {
        public void checkClientTrusted(X509Certificate[] chain, String kind) {}
        public void checkServerTrusted(X509Certificate[] chain, String kind) {}
        public X509Certificate[] getAcceptedIssuers() { return new X509Certificate[0]; }
    }

    public static void main(String[] args) throws Exception {
        Security.setProperty("jdk.tls.disabledAlgorithms", "");
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, new TrustManager[] {new Everybody()}, null);
        Socket plain = new Socket("127.0.0.1", Integer.parseInt(args[0]));
        try (SSLSocket socket = (SSLSocket) context.getSocketFactory().createSocket(plain, args[1], 443, true)) {
            SSLParameters parameters = socket.getSSLParameters();
            parameters.setServerNames(List.of(new SNIHostName(args[1])));
            if (args.length > 2) {
                parameters.setProtocols(java.util.Arrays.copyOfRange(args, 2, args.length));
            }
            socket.setSSLParameters(parameters);
            socket.getOutputStream().write("hello\n".getBytes());
            socket.getInputStream().read(new byte[64]);
        }
    }
}
